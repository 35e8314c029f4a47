//! Fetching from a hub, for which a small server on this machine stands in, and the cache in
//! offline mode. Needs the feature `hub`.
#![cfg(feature = "hub")]
// Clippy takes helpers outside test functions for library code.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use autogan_data::hub::{Hub, Pin};
use autogan_data::{LoadOptions, Split, cifar10, load, stl10};

const COMMIT: &str = "abc1234000000000000000000000000000000000";
const BODY: &str = "the content of a shard";

const PIN: Pin = Pin { owner: "some", name: "where", commit: "abc1234" };

/// Answers requests for the commits, the tree and the files of `some/where` until the test
/// ends; returns the address and the request lines so far.
fn serve() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let log = Arc::new(Mutex::new(Vec::new()));
    let seen = log.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = seen.clone();
            std::thread::spawn(move || answer(&stream, &seen));
        }
    });
    (address, log)
}

fn answer(stream: &TcpStream, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next()?.ok()?;
    while lines.next().is_some_and(|line| line.is_ok_and(|l| !l.is_empty())) {}
    log.lock().unwrap().push(request.clone());
    let path = request.split(' ').nth(1)?;
    let api = "/api/datasets/some/where";
    let (status, body) = if path.starts_with(&format!("{api}/commits/")) {
        let commit =
            |id: &str| format!(r#"{{"id":"{id}","authors":[],"title":"t","message":"m"}}"#);
        ("200 OK", format!("[{},{}]", commit(&"f".repeat(40)), commit(COMMIT)))
    } else if path.starts_with(&format!("{api}/tree/{COMMIT}/data")) {
        let file = |name: &str| {
            format!(r#"{{"type":"file","oid":"1","size":{},"path":"data/{name}"}}"#, BODY.len())
        };
        let train = file("train-00000-of-00001-x.parquet");
        ("200 OK", format!("[{},{train}]", file("train_0-00000-of-00001-y.parquet")))
    } else if path
        == format!("/datasets/some/where/resolve/{COMMIT}/data/train-00000-of-00001-x.parquet")
    {
        ("200 OK", BODY.to_string())
    } else {
        ("404 Not Found", String::new())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Type: application/json\r\n\
         ETag: \"00112233445566778899\"\r\nX-Repo-Commit: {COMMIT}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes()).ok()?;
    if !request.starts_with("HEAD") {
        stream.write_all(body.as_bytes()).ok()?;
    }
    Some(())
}

#[test]
fn a_mirror_is_asked_once_and_the_cache_answers_afterwards() {
    let (address, log) = serve();
    let cache = tempfile::tempdir().unwrap();
    let online =
        Hub { offline: false, cache: Some(cache.path().to_path_buf()), endpoint: Some(address) };
    let shards = online.shards(&PIN, "data", "train").unwrap();
    assert_eq!(shards.len(), 1, "{shards:?}");
    assert_eq!(std::fs::read_to_string(&shards[0]).unwrap(), BODY);
    assert!(shards[0].to_string_lossy().contains(COMMIT));
    let asked = log.lock().unwrap().len();
    assert!(asked >= 3, "{:?}", log.lock().unwrap());

    let offline = Hub { offline: true, ..online.clone() };
    assert_eq!(offline.shards(&PIN, "data", "train").unwrap(), shards);
    let file = "data/train-00000-of-00001-x.parquet";
    assert_eq!(offline.file(&PIN, file).unwrap(), shards[0]);
    assert_eq!(online.file(&PIN, file).unwrap(), shards[0]);
    assert_eq!(log.lock().unwrap().len(), asked, "the cache was not used");

    let text = online.file(&PIN, "data/none.parquet").unwrap_err().to_string();
    assert!(text.contains("data/none.parquet") && text.contains("HF_ENDPOINT"), "{text}");
    let other = Pin { commit: "1234567", ..PIN };
    let text = online.file(&other, file).unwrap_err().to_string();
    assert!(text.contains("no such commit in its history"), "{text}");
}

fn cached(cache: &Path, commit: &str, file: &str) {
    let snapshot = cache.join("datasets--some--where/snapshots").join(commit);
    let path = snapshot.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, file).unwrap();
}

#[test]
fn offline_reads_the_pinned_commit_from_the_cache_alone() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub {
        offline: true,
        cache: Some(cache.path().to_path_buf()),
        endpoint: Some("http://127.0.0.1:9".into()),
    };
    let text = hub.file(&PIN, "data/a.parquet").unwrap_err().to_string();
    for word in ["some/where", "abc1234", "not in the cache", "offline", "--data DIR"] {
        assert!(text.contains(word), "expected {word:?} in {text}");
    }
    let commit = format!("abc1234{}", "0".repeat(33));
    cached(cache.path(), &"f".repeat(40), "data/test-00000-of-00001.parquet");
    for name in ["train-00000-of-00002-x", "train-00001-of-00002-y", "test-00000-of-00001"] {
        cached(cache.path(), &commit, &format!("data/{name}.parquet"));
    }
    let file = hub.file(&PIN, "data/test-00000-of-00001.parquet").unwrap();
    assert!(file.to_string_lossy().contains(&commit), "{}", file.display());
    let shards = hub.shards(&PIN, "data", "train").unwrap();
    assert_eq!(shards.len(), 2);
    assert!(shards[1].ends_with("data/train-00001-of-00002-y.parquet"));
    std::fs::remove_file(&shards[1]).unwrap();
    let text = hub.shards(&PIN, "data", "train").unwrap_err().to_string();
    assert!(text.contains("only 1 of 2 files"), "{text}");
    let text = hub.file(&PIN, "data/none.parquet").unwrap_err().to_string();
    assert!(text.contains("data/none.parquet"), "{text}");
}

#[test]
fn the_pins_are_commits() {
    for pin in [cifar10::HUB, stl10::HUB] {
        assert!((7..=40).contains(&pin.commit.len()), "{pin:?}");
        assert!(pin.commit.bytes().all(|b| b.is_ascii_hexdigit()), "{pin:?}");
    }
}

/// Set in the child process of the test below; says whether the cache holds the file.
const CHILD: &str = "AUTOGAN_TEST_HUB_CHILD";

/// The environment is read once per process, so this test looks at it in a process of its own:
/// as itself it does nothing, as the child it loads CIFAR-10 without a directory.
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
        assert!(text.contains("uoft-cs/cifar10") && text.contains("HF_HUB_OFFLINE"), "{text}");
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
