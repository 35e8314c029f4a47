//! Datasets from the hub's cache, which the environment names. Fetching is tested in `autogan-hub`.
#![cfg(feature = "hub")]
// Clippy takes helpers outside test functions for library code.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use autogan_data::{LoadOptions, Split, cifar10, load, stl10};

#[test]
fn the_pins_are_commits() {
    for pin in [cifar10::HUB, stl10::HUB] {
        assert!((7..=40).contains(&pin.commit.len()), "{pin:?}");
        assert!(pin.commit.bytes().all(|b| b.is_ascii_hexdigit()), "{pin:?}");
    }
}

/// A variable that is set in the child process of the test below. It says whether the cache holds the file.
const CHILD: &str = "AUTOGAN_TEST_HUB_CHILD";

/// The environment is read once per process, so this test needs a process of its own. In the ordinary run it does
/// nothing; in the child process it loads CIFAR-10 without a directory.
#[test]
fn child_loads_from_the_environment_s_cache() {
    let Ok(filled) = std::env::var(CHILD) else {
        return;
    };
    let loaded = load("cifar10", &LoadOptions::new(Split::Train));
    if filled == "yes" {
        assert_eq!(loaded.unwrap().labels().unwrap(), [7, 3]);
    } else {
        let text = loaded.unwrap_err().to_string();
        for word in ["uoft-cs/cifar10", "HF_HUB_OFFLINE", "--data DIR", cifar10::HUB.commit] {
            assert!(text.contains(word), "expected {word:?} in {text}");
        }
    }
}

#[test]
fn hf_home_and_hf_hub_offline_are_honoured() {
    let home = tempfile::tempdir().unwrap();
    let run = |filled: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_loads_from_the_environment_s_cache"])
            .env("HF_HOME", home.path())
            .env_remove("HF_HUB_CACHE")
            .env("HF_HUB_OFFLINE", "1")
            .env(CHILD, filled)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    };
    run("no");
    let snapshot = home
        .path()
        .join("hub/datasets--uoft-cs--cifar10/snapshots")
        .join(cifar10::HUB.commit)
        .join("plain_text");
    std::fs::create_dir_all(&snapshot).unwrap();
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/data/cifar10.parquet");
    std::fs::copy(golden, snapshot.join("train-00000-of-00001.parquet")).unwrap();
    run("yes");
}
