//! Files without a published hash: the first fetch records it, and another content is refused from then on.

use std::path::Path;

use crate::server::{Server, answer};
use autogan_files::Sha256;
use autogan_hub::{Hub, HubError, RecordedFile, RepoKind};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn file(revision: &'static str) -> RecordedFile {
    RecordedFile {
        kind: RepoKind::Model,
        repo: "someone/weights".into(),
        revision: revision.into(),
        filename: "sub/net.bin".into(),
    }
}

/// A hub whose file has one content for each request; the last one repeats.
fn serve(contents: &'static [&'static str]) -> Server {
    Server::start(move |number, request, stream| {
        assert!(request.path().starts_with("/someone/weights/resolve/"), "{request:?}");
        let content = contents[number.min(contents.len() - 1)];
        answer(&stream, "200 OK", content.as_bytes());
    })
}

fn record(cache: &Path, revision: &str) -> std::path::PathBuf {
    cache.join("models--someone--weights/recorded").join(revision).join("sub/net.bin.sha256")
}

#[test]
fn the_first_hash_is_recorded_and_the_file_found_again_offline() {
    for revision in [COMMIT, "main", "refs/pr/1"] {
        let server = serve(&["first"]);
        let cache = tempfile::tempdir().unwrap();
        let mut hub = server.hub(cache.path());
        let path = hub.fetch_recorded(&file(revision)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        let recorded = std::fs::read_to_string(record(cache.path(), revision)).unwrap();
        assert_eq!(recorded, Sha256::of("first"));
        hub.offline = true;
        assert_eq!(hub.fetch_recorded(&file(revision)).unwrap(), path);
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn another_content_is_refused_later() {
    let server = serve(&["first", "second"]);
    let cache = tempfile::tempdir().unwrap();
    let hub = server.hub(cache.path());
    let path = hub.fetch_recorded(&file("main")).unwrap();
    // Damaged in the cache, and the branch has moved on.
    std::fs::write(&path, "x").unwrap();
    let error = hub.fetch_recorded(&file("main")).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, HubError::Changed { .. }), "{text}");
    let place = record(cache.path(), "main");
    assert!(text.contains(&place.display().to_string()), "{text}");
    assert!(text.contains(&Sha256::of("first")) && text.contains(&Sha256::of("second")), "{text}");
    // As the error says.
    std::fs::remove_file(place).unwrap();
    let path = hub.fetch_recorded(&file("main")).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), b"second");
}

#[test]
fn a_file_that_python_put_into_the_cache_is_recorded() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub { offline: true, ..serve(&["unused"]).hub(cache.path()) };
    let error = hub.fetch_recorded(&file(COMMIT)).unwrap_err().to_string();
    let place = Path::new(error.rsplit_once("put it at ").unwrap().1);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(place, "theirs").unwrap();
    assert_eq!(hub.fetch_recorded(&file(COMMIT)).unwrap(), place);
    std::fs::write(place, "changed").unwrap();
    let error = hub.fetch_recorded(&file(COMMIT)).unwrap_err().to_string();
    assert!(error.contains("is damaged in the cache"), "{error}");
}

#[test]
fn records_that_are_none_and_names_that_leave_are_refused() {
    let cache = tempfile::tempdir().unwrap();
    let hub = serve(&["first"]).hub(cache.path());
    let place = record(cache.path(), "main");
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(&place, "no hash").unwrap();
    let error = hub.fetch_recorded(&file("main")).unwrap_err().to_string();
    assert!(error.contains("found 7 characters") && error.contains("net.bin.sha256"), "{error}");
    let error = hub.fetch_recorded(&file("../..")).unwrap_err().to_string();
    assert!(error.contains("leaves the repository"), "{error}");
}

#[test]
fn concurrent_first_fetches_download_once() {
    let server = serve(&["first"]);
    let cache = tempfile::tempdir().unwrap();
    let hub = server.hub(cache.path());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| hub.fetch_recorded(&file("main")).unwrap());
        }
    });
    assert_eq!(server.requests().len(), 1);
}
