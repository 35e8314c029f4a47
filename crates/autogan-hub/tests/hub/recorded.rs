//! Files whose hash nobody told before: it is written down at the first fetch, and another one is refused afterwards.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use autogan_files::Sha256;
use autogan_hub::{Hub, HubError, HubFile};

use crate::server::{Request, Server, answer, head};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const FIRST: &[u8] = b"the first content";
const OTHER: &[u8] = b"another content";

/// A hub that holds one file, and what it tells of it.
#[derive(Default)]
struct Shelf {
    /// Whether the file was replaced.
    replaced: AtomicBool,
    /// Whether headers tell commit and hash, as those of large files do.
    tells: AtomicBool,
    downloads: AtomicUsize,
}

impl Shelf {
    fn start(self) -> (Server, Arc<Self>) {
        let shelf = Arc::new(self);
        let shared = Arc::clone(&shelf);
        let server = Server::start(move |_, request, stream| shared.respond(request, &stream));
        (server, shelf)
    }

    fn respond(&self, request: &Request, mut stream: &TcpStream) {
        let content = if self.replaced.load(Ordering::SeqCst) { OTHER } else { FIRST };
        if !request.path().ends_with("/stats/a.npz") {
            return answer(stream, "404 Not Found", b"");
        }
        if !request.line.starts_with("HEAD") {
            self.downloads.fetch_add(1, Ordering::SeqCst);
            return answer(stream, "200 OK", content);
        }
        if request.path().starts_with("/old/") {
            let there = format!(
                "Location: /me/repo/resolve/main/stats/a.npz\r\nX-Repo-Commit: {COMMIT}\r\n"
            );
            return head(stream, "307 Temporary Redirect", 0, &there);
        }
        let more = match self.tells.load(Ordering::SeqCst) {
            true => format!(
                "X-Repo-Commit: {COMMIT}\r\nX-Linked-Etag: \"{}\"\r\nLocation: http://127.0.0.1:9/elsewhere\r\n",
                Sha256::of(content)
            ),
            false => String::new(),
        };
        let status = if more.is_empty() { "200 OK" } else { "302 Found" };
        head(stream, status, content.len(), &more);
        stream.flush().ok();
    }
}

fn file(text: &str) -> HubFile {
    text.parse().unwrap()
}

fn read(hub: &Hub, name: &str, records: &Path) -> Result<Vec<u8>, HubError> {
    let hub = Hub { records: records.to_path_buf(), ..hub.clone() };
    hub.fetch_recorded(&file(name)).map(|path| std::fs::read(path).unwrap())
}

#[test]
fn a_hash_is_written_down_once_and_another_content_is_refused() {
    for tells in [false, true] {
        let (server, shelf) = Shelf { tells: tells.into(), ..Shelf::default() }.start();
        let dir = tempfile::tempdir().unwrap();
        let records = dir.path().join("deep/records.tsv");
        let name = "me/repo/stats/a.npz";
        let hub = server.hub(&dir.path().join("cache"));
        assert_eq!(read(&hub, name, &records).unwrap(), FIRST);
        let line = std::fs::read_to_string(&records).unwrap();
        let revision = if tells { COMMIT } else { "main" };
        let hash: String = Sha256::of(FIRST);
        assert_eq!(line, format!("model\tme/repo\tmain\tstats/a.npz\t{hash}\t{revision}\n"));

        // The cache answers, also offline, and other files have lines of their own.
        shelf.replaced.store(true, Ordering::SeqCst);
        let offline = Hub { offline: true, ..hub.clone() };
        for hub in [&hub, &offline] {
            assert_eq!(read(hub, name, &records).unwrap(), FIRST);
        }
        assert_eq!(shelf.downloads.load(Ordering::SeqCst), 1);
        assert_eq!(read(&hub, "datasets/me/repo/stats/a.npz", &records).unwrap(), OTHER);
        assert_eq!(std::fs::read_to_string(&records).unwrap().lines().count(), 2);

        // Without the cache the content must be the same.
        let empty = server.hub(&dir.path().join("empty"));
        let text = read(&empty, name, &records).unwrap_err().to_string();
        let other: String = Sha256::of(OTHER);
        for word in [&*hash, &*other, "records.tsv", "remove its line"] {
            assert!(text.contains(word), "expected {word:?} in {text}");
        }
        assert!(read(&Hub { offline: true, ..empty.clone() }, name, &records).is_err());
        shelf.replaced.store(false, Ordering::SeqCst);
        assert_eq!(read(&empty, name, &records).unwrap(), FIRST);
    }
}

#[test]
fn a_hash_in_the_name_is_checked() {
    let (server, _) = Shelf::default().start();
    let dir = tempfile::tempdir().unwrap();
    let records = dir.path().join("records.tsv");
    let hub = server.hub(dir.path());
    let name = |content: &[u8]| format!("me/repo/stats/a.npz#{}", Sha256::of(content));
    let error = read(&hub, &name(OTHER), &records).unwrap_err();
    assert!(matches!(error, HubError::WrongHash { .. }), "{error}");
    assert_eq!(read(&hub, &name(FIRST), &records).unwrap(), FIRST);
    assert!(!records.exists());
}

#[test]
fn what_is_not_there_says_what_to_do() {
    let (server, shelf) = Shelf::default().start();
    let dir = tempfile::tempdir().unwrap();
    let records = dir.path().join("records.tsv");
    let hub = server.hub(dir.path());
    let error = read(&hub, "me/repo/none.npz", &records).unwrap_err();
    assert!(matches!(error, HubError::NotFound { .. }), "{error}");
    let error = read(&Hub { offline: true, ..hub.clone() }, "me/repo/stats/a.npz", &records);
    let text = error.unwrap_err().to_string();
    assert!(text.contains("offline mode is on") && text.contains("me/repo/stats/a.npz"), "{text}");
    assert!(!records.exists());
    // A repository with a new name.
    shelf.tells.store(true, Ordering::SeqCst);
    assert_eq!(read(&hub, "old/repo/stats/a.npz", &records).unwrap(), FIRST);
    assert!(std::fs::read_to_string(&records).unwrap().ends_with(&format!("{COMMIT}\n")));
}

#[test]
fn files_that_python_has_fetched_are_found_offline() {
    let dir = tempfile::tempdir().unwrap();
    let repo = dir.path().join("models--me--repo");
    let snapshot = repo.join("snapshots").join(COMMIT).join("stats");
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::create_dir_all(repo.join("refs")).unwrap();
    std::fs::write(snapshot.join("a.npz"), FIRST).unwrap();
    std::fs::write(repo.join("refs/main"), COMMIT).unwrap();
    let (server, shelf) = Shelf::default().start();
    let hub = Hub { offline: true, ..server.hub(dir.path()) };
    let records = dir.path().join("records.tsv");
    for name in ["me/repo/stats/a.npz".to_owned(), format!("me/repo/stats/a.npz@{COMMIT}")] {
        assert_eq!(read(&hub, &name, &records).unwrap(), FIRST);
    }
    assert_eq!(std::fs::read_to_string(&records).unwrap().lines().count(), 2);
    std::fs::write(snapshot.join("a.npz"), OTHER).unwrap();
    let text = read(&hub, "me/repo/stats/a.npz", &records).unwrap_err().to_string();
    assert!(text.contains("is damaged in the cache"), "{text}");
    assert_eq!(shelf.downloads.load(Ordering::SeqCst), 0);
}

#[test]
fn first_fetches_at_the_same_time_agree() {
    let (server, _) = Shelf::default().start();
    // A lost line is a matter of luck.
    for _ in 0..30 {
        let dir = tempfile::tempdir().unwrap();
        let records = dir.path().join("records.tsv");
        std::thread::scope(|scope| {
            for i in 0..8 {
                let (hub, records) = (server.hub(dir.path()), &records);
                let name = format!("me/repo/{}stats/a.npz", "x/".repeat(i % 4));
                scope.spawn(move || assert_eq!(read(&hub, &name, records).unwrap(), FIRST));
            }
        });
        assert_eq!(std::fs::read_to_string(&records).unwrap().lines().count(), 4);
    }
}
