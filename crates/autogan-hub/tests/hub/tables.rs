//! Datasets from a local server in place of the hub, and from the cache in offline mode.

use std::path::Path;

use crate::server::{Server, answer};
use autogan_files::Sha256;
use autogan_hub::{Hub, PinnedFolder};

const COMMIT: &str = "abc1234000000000000000000000000000000000";
const BODY: &str = "the content of a shard";
const FILE: &str = "data/train-00000-of-00001-x.parquet";

const PIN: PinnedFolder = PinnedFolder { repo: "some/where", commit: "abc1234", folder: "data" };

/// Answers requests for the commits, the tree and one file of `some/where`.
fn serve() -> Server {
    Server::start(|_, request, stream| {
        let api = "/api/datasets/some/where";
        let path = request.path();
        let body = if path.starts_with(&format!("{api}/commits/")) {
            let commit =
                |id: &str| format!(r#"{{"id":"{id}","authors":[],"title":"t","message":"m"}}"#);
            format!("[{},{}]", commit(&"f".repeat(40)), commit(COMMIT))
        } else if path == format!("{api}/tree/{COMMIT}/data") {
            let hash: String = Sha256::of(BODY);
            let entry = |name: &str, lfs: &str| {
                format!(r#"{{"type":"file","oid":"1","size":22{lfs},"path":"data/{name}"}}"#)
            };
            let lfs = |hash: &str| format!(r#","lfs":{{"oid":"{hash}","size":22}}"#);
            let files = [
                entry("train_0-00000-of-00001-y.parquet", ""),
                entry("train-00000-of-00001-x.parquet", &lfs(&hash)),
                entry("wrong-00000-of-00001-x.parquet", &lfs(&"0".repeat(64))),
            ];
            format!("[{}]", files.join(","))
        } else if path == format!("/datasets/some/where/resolve/{COMMIT}/{FILE}")
            || path.contains("/wrong-")
        {
            BODY.to_string()
        } else {
            return answer(&stream, "404 Not Found", b"");
        };
        answer(&stream, "200 OK", body.as_bytes());
    })
}

#[test]
fn a_mirror_is_asked_once_and_the_cache_answers_afterwards() {
    let server = serve();
    let cache = tempfile::tempdir().unwrap();
    let online = server.hub(cache.path());
    let shards = online.tables(&PIN, "train").unwrap();
    assert_eq!(shards.len(), 1, "{shards:?}");
    assert_eq!(std::fs::read_to_string(&shards[0]).unwrap(), BODY);
    assert!(shards[0].ends_with(format!("datasets--some--where/snapshots/{COMMIT}/{FILE}")));
    assert_eq!(server.requests().len(), 3, "{:?}", server.requests());

    let offline = Hub { offline: true, ..online.clone() };
    assert_eq!(offline.tables(&PIN, "train").unwrap(), shards);
    assert_eq!(online.tables(&PIN, "train").unwrap(), shards);
    assert_eq!(server.requests().len(), 3, "the cache was not used");

    // A damaged file is an error offline; with the network it is fetched again.
    std::fs::write(&shards[0], "the content of no shard").unwrap();
    let text = offline.tables(&PIN, "train").unwrap_err().to_string();
    assert!(text.contains("is damaged in the cache"), "{text}");
    assert_eq!(online.tables(&PIN, "train").unwrap(), shards);
    assert_eq!(std::fs::read_to_string(&shards[0]).unwrap(), BODY);
}

#[test]
fn what_the_hub_has_not_or_not_with_that_hash_is_an_error() {
    let server = serve();
    let cache = tempfile::tempdir().unwrap();
    let fails = |pin: &PinnedFolder, prefix: &str, words: &[&str]| {
        let text = server.hub(cache.path()).tables(pin, prefix).unwrap_err().to_string();
        for word in words {
            assert!(text.contains(word), "expected {word:?} in {text}");
        }
    };
    fails(&PIN, "none", &["some/where/data/none-*.parquet", "HF_ENDPOINT", "no such files"]);
    fails(&PIN, "train_0", &["the hub lists no SHA-256"]);
    fails(&PIN, "wrong", &["expected SHA-256 0000", "wrong-00000"]);
    let other = PinnedFolder { commit: "1234567", ..PIN };
    fails(&other, "train", &["no such commit in its history"]);
    let other = PinnedFolder { folder: "other", ..PIN };
    fails(&other, "train", &["some/where/other/train-*.parquet", "404"]);
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
    let hub = Hub { offline: true, ..serve().hub(cache.path()) };
    let text = hub.tables(&PIN, "test").unwrap_err().to_string();
    let place = "datasets--some--where/snapshots/abc1234/data/test-NNNNN-of-NNNNN.parquet";
    for word in ["some/where", "abc1234", "not in the cache", "offline", place] {
        assert!(text.contains(word), "expected {word:?} in {text}");
    }
    let commit = format!("abc1234{}", "0".repeat(33));
    cached(cache.path(), &"f".repeat(40), "data/test-00000-of-00001.parquet");
    for name in ["train-00000-of-00002-x", "train-00001-of-00002-y", "test-00000-of-00001"] {
        cached(cache.path(), &commit, &format!("data/{name}.parquet"));
    }
    let files = hub.tables(&PIN, "test").unwrap();
    assert!(files[0].to_string_lossy().contains(&commit), "{}", files[0].display());
    let shards = hub.tables(&PIN, "train").unwrap();
    assert_eq!(shards.len(), 2);
    assert!(shards[1].ends_with("data/train-00001-of-00002-y.parquet"));
    std::fs::remove_file(&shards[1]).unwrap();
    let text = hub.tables(&PIN, "train").unwrap_err().to_string();
    assert!(text.contains("only 1 of 2 files"), "{text}");
    let text = hub.tables(&PIN, "none").unwrap_err().to_string();
    assert!(text.contains("data/none-*.parquet"), "{text}");
}
