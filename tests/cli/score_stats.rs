//! Statistics with names: `autogan score stats` keeps, lists and removes them, and `stats:NAME` and `hub:…` read them.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use autogan_files::Sha256;
use serde_json::Value;

use crate::bad_sets::{archive, foreign, npy, own, spatial};
use crate::common::{CommandOutput, command};
use crate::hub_server::{Server, answer};
use crate::score::{compact, records, score};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The file of a name.
fn kept(dir: &Path, name: &str) -> std::path::PathBuf {
    dir.join("cache/autogan/stats").join(format!("{name}.npz"))
}

/// `autogan score stats …` of files, for which no network is needed.
fn stats(dir: &Path, args: &[&str]) -> CommandOutput {
    score(dir, &[&["stats"], args, &["--silent"]].concat())
}

#[test]
fn names_are_kept_listed_compared_with_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    records(at, "a.bin", 200, 3);
    records(at, "b.bin", 210, 4);
    compact(at, &["stats", "b.bin", "-o", "b.npz", "--as", "bands", "--about", "bands of colour"])
        .ok();
    let expected = compact(at, &["a.bin", "b.npz", "--json"]).ok();
    let ran = compact(at, &["a.bin", "stats:bands", "--json"]);
    let line = "stats:bands: mean and covariance, no images (bands of colour, of 210 images, compact-shapes)";
    assert!(ran.stderr.contains(line), "{}", ran.stderr);
    assert!(!ran.stderr.contains("do not say how they were made"), "{}", ran.stderr);
    assert_eq!(ran.ok(), expected);
    assert_eq!(json(&expected)["input2_count"], 210);

    // pytorch-fid reads mu and sigma.
    let file = zip::ZipArchive::new(std::fs::File::open(kept(at, "bands")).unwrap()).unwrap();
    let names: Vec<String> = file.file_names().map(|name| name.unwrap().into_owned()).collect();
    for name in ["mu.npy", "sigma.npy", "autogan.npy"] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }

    let list = stats(at, &[]).ok();
    let line = list.lines().find(|line| line.starts_with("bands ")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[..3], ["bands", "210", "compact-shapes"]);
    assert!(words[3].starts_with("20") && line.ends_with("bands of colour"), "{line}");
    assert!(list.starts_with("NAME ") && list.contains("imagenet-256-adm"), "{list}");
    let rows = json(&stats(at, &["--json"]).ok());
    assert_eq!((&rows[0]["name"], &rows[0]["count"]), (&"bands".into(), &210.into()));
    assert_eq!(rows[0]["weights_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(rows[1]["published"], true);

    let taken = compact(at, &["stats", "a.bin", "--as", "bands"]).fails(1);
    assert!(taken.contains("a new name") && taken.contains("--force"), "{taken}");
    compact(at, &["stats", "a.bin", "--as", "bands", "--force"]).ok();
    assert_ne!(compact(at, &["a.bin", "stats:bands", "--json"]).ok(), expected);

    stats(at, &["--remove", "stats:bands"]).ok();
    let unknown = compact(at, &["a.bin", "stats:bands"]).fails(1);
    for word in ["stats:bands: there are no statistics", "imagenet-256-adm", "--as bands"] {
        assert!(unknown.contains(word), "{unknown}");
    }
    let none = stats(at, &["--remove", "bands"]).fails(1);
    assert!(none.contains("there are: none"), "{none}");
    for name in ["a/b", "../x", ".x", "a b"] {
        let wrong = compact(at, &["stats", "a.bin", "--as", name]).fails(1);
        assert!(wrong.contains("up to 100 letters"), "{wrong}");
    }
    assert!(compact(at, &["stats", "a.bin"]).fails(2).contains("--as"));
}

#[test]
fn the_registry_lies_where_the_variables_say() {
    let dir = tempfile::tempdir().unwrap();
    foreign(&dir.path().join("a.npz"), [0.0, 1.0]);
    let keep = |variables: &[(&str, &Path)]| {
        let mut command = command(dir.path());
        for name in ["AUTOGAN_STATS_DIR", "XDG_CACHE_HOME", "HOME", "USERPROFILE"] {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied());
        let ran = command.args(["score", "stats", "a.npz", "--as", "a", "--force"]).output();
        CommandOutput::from(ran.unwrap())
    };
    let at = |name: &str| dir.path().join(name);
    let (x, y, z) = (at("x"), at("y"), at("z"));
    let all: [(&str, &Path); 3] = [("AUTOGAN_STATS_DIR", &x), ("XDG_CACHE_HOME", &y), ("HOME", &z)];
    let places = ["x/a.npz", "y/autogan/stats/a.npz", "z/.cache/autogan/stats/a.npz"];
    for (skipped, place) in places.into_iter().enumerate() {
        keep(&all[skipped..]).ok();
        assert!(at(place).is_file(), "{place}");
    }
    let nowhere = keep(&[]).fails(1);
    assert!(nowhere.contains("AUTOGAN_STATS_DIR"), "{nowhere}");
}

#[test]
fn statistics_of_another_protocol_are_refused_with_both_told() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    records(at, "a.bin", 30, 1);
    compact(at, &["stats", "a.bin", "--as", "shapes"]).ok();
    let other = score(at, &["a.bin", "stats:shapes", "--extractor", "compact-cifar10"]).fails(1);
    for word in ["stats:shapes follows compact-shapes", "follows compact-cifar10"] {
        assert!(other.contains(word), "{other}");
    }
    for (name, extractor, weights) in [
        ("clean", "inception-v3-clean", "aa"),
        ("other", "inception-v3-clean", "bb"),
        ("fid", "inception-v3-torch-fidelity", "aa"),
    ] {
        own(&at.join("own.npz"), extractor, weights);
        stats(at, &["own.npz", "--as", name]).ok();
    }
    let refused = |args: &[&str], words: &[&str]| {
        let text = score(at, args).fails(1);
        words.iter().for_each(|word| assert!(text.contains(word), "expected {word:?} in {text}"));
    };
    refused(&["stats:clean", "stats:other"], &["different weights (SHA-256 aa and bb)"]);
    refused(&["stats:clean", "stats:fid"], &["inception-v3-clean", "inception-v3-torch-fidelity"]);
    let words = ["stats:clean follows inception-v3-clean", "inception-v3-pytorch-fid"];
    refused(&["stats:clean", "stats:clean", "--preset", "pytorch-fid"], &words);
    score(at, &["stats:clean", "stats:clean", "--preset", "clean", "--silent"]).ok();
    score(at, &["stats:clean", "stats:clean", "--silent"]).ok();

    let published = "stats:imagenet-256-adm";
    let words = ["inception-v3-torch-fidelity", "inception-v3-clean", "--preset torch-fidelity"];
    refused(&["stats:fid", published, "--preset", "clean"], &words);
    refused(&["a.bin", published, "--extractor", "compact-shapes"], &["compact-shapes"]);
    let words = ["offline mode is on", "fid_stats_imagenet256_guided_diffusion.npz", "put it at"];
    refused(&["stats:fid", published], &words);
    let name = stats(at, &["own.npz", "--as", "imagenet-256-adm"]).fails(1);
    assert!(name.contains("published"), "{name}");
}

/// A `.npy` of 32-bit floats.
fn singles(shape: &str, values: &[f64]) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(values.iter().flat_map(|value| (*value as f32).to_le_bytes()));
    bytes
}

#[test]
fn files_of_other_tools_are_read_as_they_are_and_kept_under_names() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let silent = |args: &[&str]| score(dir.path(), &[args, &["--silent"]].concat());
    // TTUR and pytorch-fid (64 bits), and the same in 32 bits.
    foreign(&at("double.npz"), [0.0, 1.0]);
    let cov = singles("(2, 2)", &[1., 0., 0., 1.]);
    archive(&at("single.npz"), &[("mu", singles("(2,)", &[0.0, 4.0])), ("sigma", cov)]);
    assert_eq!(silent(&["double.npz", "single.npz"]).ok(), "FID:  9\n");
    // ADM, with spatial statistics.
    spatial(&at("adm.npz"), [0.0, 1.0], 5.0);
    spatial(&at("adm2.npz"), [0.0, 3.0], 8.0);
    for name in ["double", "single", "adm", "adm2"] {
        stats(dir.path(), &[&format!("{name}.npz"), "--as", name, "--about", "made up"]).ok();
    }
    assert_eq!(silent(&["stats:double", "stats:single"]).ok(), "FID:  9\n");
    assert_eq!(silent(&["--sfid", "--fid", "stats:adm", "stats:adm2"]).ok(), "FID:  4\nsFID:  9\n");
    let list = stats(dir.path(), &[]).ok();
    assert!(
        list.lines().any(|line| line.starts_with("adm2") && line.ends_with("made up")),
        "{list}"
    );
    let loud = score(dir.path(), &["stats:double", "stats:single"]);
    assert!(loud.stderr.contains("do not say how they were made"), "{}", loud.stderr);
    // They were kept with a note, but without a protocol that nobody knows.
    assert_eq!(json(&stats(dir.path(), &["--json"]).ok())[0]["protocol"], Value::Null);
}

#[test]
fn features_of_other_tools_are_compared_like_images() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let silent = |args: &[&str]| score(dir.path(), &[args, &["--silent"]].concat());
    // The corners of a square, and the same 3 to the right: means (1, 1) and (4, 1), covariance 4/3.
    let corners = [0., 0., 2., 0., 0., 2., 2., 2.];
    let moved = [3., 0., 5., 0., 3., 2., 5., 2.];
    archive(&at("feats.npz"), &[("feats", singles("(4, 2)", &corners))]);
    archive(
        &at("pool.npz"),
        &[("pool_3", npy("(4, 1, 1, 2)", &moved)), ("labels", npy("(1,)", &[0.]))],
    );
    let third = 4. / 3.;
    let cov = npy("(2, 2)", &[third, 0., 0., third]);
    archive(&at("stats.npz"), &[("mu", npy("(2,)", &[1., 1.])), ("sigma", cov)]);
    assert_eq!(silent(&["feats.npz", "pool.npz"]).ok(), "FID:  9\n");
    assert_eq!(silent(&["pool.npz", "stats.npz"]).ok(), "FID:  9\n");
    assert_eq!(silent(&["feats.npz", "stats.npz"]).ok(), "FID:  0\n");
    stats(dir.path(), &["pool.npz", "--as", "pool"]).ok();
    assert_eq!(silent(&["feats.npz", "stats:pool"]).ok(), "FID:  9\n");
    // Each image is known, but not its classes.
    let found =
        silent(&["--prc", "--is", "--kid", "--kid-subset-size", "4", "feats.npz", "pool.npz"]);
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(found.stdout.contains("KID:  ") && found.stdout.contains("Recall:  "), "{found:?}");
    assert!(found.stderr.contains("the Inception Score needs images, and feats.npz"), "{found:?}");
    let loud = score(dir.path(), &["--prc", "feats.npz", "pool.npz"]);
    assert!(loud.stderr.contains("feats.npz: features of 4 images"), "{}", loud.stderr);
    assert!(loud.stderr.contains("do not say how they were made"), "{}", loud.stderr);
    records(dir.path(), "a.bin", 30, 1);
    let wrong = compact(dir.path(), &["a.bin", "feats.npz"]).fails(1);
    assert!(wrong.contains("expected statistics of 128 features"), "{wrong}");
    archive(&at("flat.npz"), &[("feats", npy("(4,)", &[1., 2., 3., 4.]))]);
    let flat = silent(&["flat.npz", "flat.npz"]).fails(1);
    assert!(flat.contains("floats feats [N, D]"), "{flat}");
}

#[test]
fn files_that_are_no_statistics_are_explained() {
    let dir = tempfile::tempdir().unwrap();
    records(dir.path(), "a.bin", 30, 1);
    std::fs::write(dir.path().join("edm2.pkl"), b"\x80\x04}.").unwrap();
    let pickle = compact(dir.path(), &["a.bin", "edm2.pkl"]).fails(1);
    for word in ["edm2.pkl: expected statistics as .npz, found a pickle", "numpy.savez", "'fid'"] {
        assert!(pickle.contains(word), "{pickle}");
    }
    compact(dir.path(), &["stats", "a.bin", "--as", "torn"]).ok();
    let whole = std::fs::read(kept(dir.path(), "torn")).unwrap();
    std::fs::write(kept(dir.path(), "torn"), &whole[..whole.len() / 2]).unwrap();
    let torn = compact(dir.path(), &["a.bin", "stats:torn"]).fails(1);
    assert!(torn.contains("cannot read stats:torn") && torn.contains("a zip container"), "{torn}");
    let list = score(dir.path(), &["stats"]);
    assert!(list.stderr.contains("--remove torn"), "{}", list.stderr);
    assert!(list.ok().contains("imagenet-256-adm"));
    stats(dir.path(), &["--remove", "torn"]).ok();
}

#[test]
fn processes_at_the_same_time_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    foreign(&dir.path().join("a.npz"), [0.0, 1.0]);
    let all = |more: &[&str]| {
        let start = |_| {
            let mut command = command(dir.path());
            command.env("XDG_CACHE_HOME", dir.path().join("cache"));
            command.args(["score", "stats", "a.npz", "--as", "x"]).args(more);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let started: Vec<_> = (0..6).map(start).collect();
        let ended = started.into_iter().map(|child| child.wait_with_output().unwrap().into());
        ended.collect::<Vec<CommandOutput>>()
    };
    let (won, lost): (Vec<_>, Vec<_>) = all(&[]).into_iter().partition(|ran| ran.code == Some(0));
    assert_eq!(won.len(), 1, "{won:?} {lost:?}");
    for ran in lost {
        assert!(ran.fails(1).contains("a new name"));
    }
    all(&["--force"]).into_iter().for_each(|ran| drop(ran.ok()));
    assert_eq!(score(dir.path(), &["stats:x", "a.npz", "--silent"]).ok(), "FID:  0\n");
    let files = std::fs::read_dir(dir.path().join("cache/autogan/stats")).unwrap();
    assert_eq!(files.count(), 2, "the statistics and the lock");
}

/// Runs `autogan score` with a server in place of the hub.
fn online(dir: &Path, server: &Server, args: &[&str]) -> CommandOutput {
    let mut command = command(dir);
    command.env("XDG_CACHE_HOME", dir.join("cache")).env("HF_HUB_CACHE", dir.join("hub"));
    command.env("HF_HUB_OFFLINE", "0").env("HF_ENDPOINT", &server.address);
    command.env("NO_PROXY", "127.0.0.1").env("HF_TOKEN", "secret");
    command.arg("score").args(args).arg("--silent").output().unwrap().into()
}

#[test]
fn a_file_on_the_hub_is_fetched_once_and_refused_when_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    foreign(&at("a.npz"), [0.0, 1.0]);
    foreign(&at("b.npz"), [0.0, 4.0]);
    foreign(&at("c.npz"), [0.0, 5.0]);
    let contents = ["b.npz", "c.npz"].map(|name| std::fs::read(at(name)).unwrap());
    let hashes = contents.each_ref().map(Sha256::of);
    let replaced = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&replaced);
    let server = Server::start(move |_, request, stream| {
        let found = request.path().starts_with("/me/repo/resolve/main/stats/ref.npz");
        match found {
            true => answer(&stream, "200 OK", &contents[usize::from(now.load(Ordering::SeqCst))]),
            false => answer(&stream, "404 Not Found", b""),
        }
    });
    let name = "hub:me/repo/stats/ref.npz";
    assert_eq!(online(dir.path(), &server, &["a.npz", name]).ok(), "FID:  9\n");
    let requests = server.requests().len();
    replaced.store(true, Ordering::SeqCst);
    assert_eq!(online(dir.path(), &server, &["a.npz", name]).ok(), "FID:  9\n");
    let silent = |args: &[&str]| score(dir.path(), &[args, &["--silent"]].concat());
    assert_eq!(silent(&["a.npz", name]).ok(), "FID:  9\n");
    assert_eq!(server.requests().len(), requests, "the cache was not used");
    stats(dir.path(), &[name, "--as", "mine"]).ok();
    assert_eq!(silent(&["a.npz", "stats:mine"]).ok(), "FID:  9\n");

    std::fs::remove_dir_all(at("hub")).unwrap();
    let refused = online(dir.path(), &server, &["a.npz", name]).fails(1);
    for word in [&*hashes[0], &*hashes[1], "hub-files.tsv", "remove its line"] {
        assert!(refused.contains(word), "expected {word:?} in {refused}");
    }
    let pinned = format!("{name}@main#{}", hashes[1]);
    assert_eq!(online(dir.path(), &server, &["a.npz", &pinned]).ok(), "FID:  16\n");
    std::fs::remove_file(at("cache/autogan/hub-files.tsv")).unwrap();
    assert_eq!(online(dir.path(), &server, &["a.npz", name]).ok(), "FID:  16\n");

    let fails = |name: &str, expected: &str| {
        let text = online(dir.path(), &server, &["a.npz", name]).fails(1);
        assert!(text.contains(expected), "{name}: {text}");
    };
    fails("hub:me/repo/stats/none.npz", "is not on the hub");
    fails("hub:me/ref.npz", "expected OWNER/NAME/FILE");
    fails("hub:me/repo/ref.pkl", "expected a file of arrays, .npz");
    let offline = silent(&["a.npz", "hub:me/repo/stats/other.npz"]).fails(1);
    assert!(offline.contains("offline mode is on"), "{offline}");
}
