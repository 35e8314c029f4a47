//! Fetching pinned files from a local server in place of the hub: good file, wrong hash, truncated, resumed, 404, 401,
//! 500 then good, slow, silent, redirected; offline mode and the environment.

use crate::server::{Request, Server, answer, head};
use autogan_files::Sha256;
use autogan_hub::{Hub, HubError, OnProgress, PinnedFile, RepoKind};
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// An answer of the server. Answers are given in order, and the last one repeats.
#[derive(Clone, Copy)]
enum Answer {
    /// The file, or the range of it that the request names.
    Good,
    /// The whole file, even if the request names a range.
    Whole,
    /// Another content of the same length.
    Other,
    /// Half of the announced bytes, then the connection closes.
    Truncated,
    /// All bytes in pieces with pauses.
    Slow,
    /// Half of the bytes, then silence.
    Silent,
    Status(u16),
}

fn content() -> Vec<u8> {
    (0..300_000u32).map(|i| (i * 7 % 251) as u8).collect()
}

const HALF: usize = 150_000;

/// Starts a hub that gives these answers.
fn hub(answers: &[Answer]) -> Server {
    let answers = answers.to_vec();
    Server::start(move |number, request, stream| {
        respond(request, &stream, answers[number.min(answers.len() - 1)]);
    })
}

/// Writes an answer; the client may hang up at any time, so nothing is checked.
fn respond(request: &Request, mut stream: &TcpStream, kind: Answer) {
    let body = content();
    let range = request.header("range").strip_prefix("bytes=").and_then(|r| r.strip_suffix('-'));
    match (kind, range) {
        (Answer::Status(code), _) => answer(stream, &format!("{code} Refused"), b"oops"),
        (Answer::Good, Some(from)) => {
            let from: usize = from.parse().unwrap();
            if from >= body.len() {
                return answer(stream, "416 Range Not Satisfiable", b"");
            }
            let range =
                format!("Content-Range: bytes {from}-{}/{}\r\n", body.len() - 1, body.len());
            head(stream, "206 Partial Content", body.len() - from, &range);
            stream.write_all(&body[from..]).ok();
        }
        (Answer::Good | Answer::Whole, _) => answer(stream, "200 OK", &body),
        (Answer::Other, _) => answer(stream, "200 OK", &vec![9; body.len()]),
        (Answer::Truncated | Answer::Silent, _) => {
            head(stream, "200 OK", body.len(), "");
            stream.write_all(&body[..HALF]).ok();
            if matches!(kind, Answer::Silent) {
                std::thread::sleep(Duration::from_secs(20));
            }
        }
        (Answer::Slow, _) => {
            head(stream, "200 OK", body.len(), "");
            for piece in body.chunks(body.len() / 5) {
                std::thread::sleep(Duration::from_millis(150));
                stream.write_all(piece).ok();
            }
        }
    }
}

fn sha256(content: &[u8]) -> String {
    Sha256::of(content)
}

fn file() -> PinnedFile {
    PinnedFile {
        kind: RepoKind::Model,
        repo: "someone/weights".into(),
        revision: COMMIT.into(),
        filename: "sub folder/net.pth".into(),
        sha256: sha256(&content()).into(),
    }
}

/// The path of the file that an interrupted download leaves for the next one.
fn part(cache: &Path) -> PathBuf {
    cache.join(format!("models--someone--weights/blobs/{}.incomplete", file().sha256))
}

/// Writes the beginning of the file to that path.
fn leave(cache: &Path, content: &[u8]) {
    std::fs::create_dir_all(part(cache).parent().unwrap()).unwrap();
    std::fs::write(part(cache), content).unwrap();
}

/// All regular files below a folder that hold more than 0 bytes.
fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            continue;
        } else if path.is_dir() {
            found.extend(files_below(&path));
        } else if path.metadata().unwrap().len() > 0 {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

/// Fetches from a hub with these answers. After a failure it checks that nothing in the cache passes for the file, and
/// that at most `kept` bytes wait for the next download.
fn fails(answers: &[Answer], stall: Duration, kept: usize) -> (HubError, Server) {
    let server = hub(answers);
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub { stall, ..server.hub(cache.path()) };
    let error = hub.fetch(&file()).unwrap_err();
    let left = std::fs::read(part(cache.path())).unwrap_or_default();
    assert_eq!(left, content()[..kept], "after {error}");
    assert_eq!(files_below(cache.path()).len(), usize::from(kept > 0), "after {error}");
    assert!(hub.cached(&file()).unwrap().is_none());
    (error, server)
}

const STALL: Duration = Duration::from_secs(10);

#[test]
fn a_good_file_is_fetched_once_and_found_again_offline() {
    let server = hub(&[Answer::Good]);
    let cache = tempfile::tempdir().unwrap();
    let seen = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&seen);
    let progress: OnProgress = Arc::new(move |name, bytes, total| {
        assert_eq!((name, total), ("sub folder/net.pth", 300_000));
        counter.fetch_max(bytes, Ordering::Relaxed);
    });
    let mut hub = Hub { progress: Some(progress), ..server.hub(cache.path()) };
    let path = hub.fetch(&file()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), content());
    assert_eq!(seen.load(Ordering::Relaxed), 300_000);
    assert_eq!(files_below(cache.path()), [file().sha256]);
    let expected = cache.path().join("models--someone--weights/snapshots").join(COMMIT);
    assert_eq!(path, expected.join("sub folder/net.pth"));
    let requests = server.requests();
    let address = format!("/someone/weights/resolve/{COMMIT}/sub%20folder/net.pth");
    assert!(requests.iter().all(|r| r.path() == address), "{requests:?}");
    assert!(requests.iter().all(|r| r.header("authorization") == "Bearer secret"), "{requests:?}");

    hub.offline = true;
    assert_eq!(hub.fetch(&file()).unwrap(), path);
    assert_eq!(hub.cached(&file()).unwrap(), Some(path));
    assert_eq!(server.requests().len(), requests.len());
}

#[test]
fn a_branch_is_found_again_by_its_content() {
    let server = hub(&[Answer::Good]);
    let cache = tempfile::tempdir().unwrap();
    let mut hub = server.hub(cache.path());
    let branch = file().at("someone/weights", "main");
    let path = hub.fetch(&branch).unwrap();
    hub.offline = true;
    assert_eq!(hub.fetch(&branch).unwrap(), path);
    assert_eq!(std::fs::read(path).unwrap(), content());
}

#[test]
fn a_file_put_where_the_error_says_is_found() {
    let cache = tempfile::tempdir().unwrap();
    for revision in [COMMIT, "main"] {
        let file = file().at("someone/weights", revision);
        let hub = Hub { offline: true, ..hub(&[Answer::Good]).hub(cache.path()) };
        let text = hub.fetch(&file).unwrap_err().to_string();
        let place = PathBuf::from(text.rsplit_once("put it at ").unwrap().1);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(&place, content()).unwrap();
        assert_eq!(hub.fetch(&file).unwrap(), place);
    }
}

#[test]
fn another_content_is_discarded() {
    let (error, _) = fails(&[Answer::Other], STALL, 0);
    let text = error.to_string();
    assert!(matches!(error, HubError::WrongHash { .. }), "{text}");
    assert!(text.contains("expected SHA-256") && text.contains("300000 bytes"), "{text}");
    assert!(text.contains("try again"), "{text}");
}

#[test]
fn a_truncated_download_is_retried_then_reported() {
    let (error, server) = fails(&[Answer::Truncated], STALL, HALF);
    assert!(matches!(error, HubError::Transfer { .. }), "{error}");
    assert!(error.to_string().contains("HF_ENDPOINT"), "{error}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_break_midway_is_taken_up_where_it_was() {
    for (second, range) in [(Answer::Good, "bytes=150000-"), (Answer::Whole, "bytes=150000-")] {
        let server = hub(&[Answer::Truncated, second]);
        let cache = tempfile::tempdir().unwrap();
        let path = server.hub(cache.path()).fetch(&file()).unwrap();
        assert_eq!(std::fs::read(path).unwrap(), content());
        assert_eq!(server.requests()[1].header("range"), range);
        assert_eq!(files_below(cache.path()), [file().sha256]);
    }
}

#[test]
fn an_earlier_download_is_continued_unless_it_was_of_something_else() {
    // The bytes that are there already, and the ranges of the requests in order.
    let cases: [(&[u8], &[&str]); 4] = [
        (&content()[..HALF], &["bytes=150000-"]),
        (&content(), &["bytes=300000-"]),
        (&[7; 1000], &["bytes=1000-", ""]),
        (&[7; 400_000], &["bytes=400000-", ""]),
    ];
    for (there, ranges) in cases {
        let server = hub(&[Answer::Good]);
        let cache = tempfile::tempdir().unwrap();
        leave(cache.path(), there);
        let path = server.hub(cache.path()).fetch(&file()).unwrap();
        assert_eq!(std::fs::read(path).unwrap(), content());
        let requests = server.requests();
        let asked: Vec<&str> = requests.iter().map(|r| r.header("range")).collect();
        assert_eq!(asked, ranges);
    }
}

#[test]
fn not_found_and_refused_say_what_to_do() {
    let (error, server) = fails(&[Answer::Status(404)], STALL, 0);
    assert!(matches!(error, HubError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains(&format!("snapshots/{COMMIT}/sub folder/net.pth")));
    assert_eq!(server.requests().len(), 1);
    let (error, _) = fails(&[Answer::Status(401)], STALL, 0);
    assert!(matches!(error, HubError::Denied { .. }), "{error}");
    assert!(error.to_string().contains("HF_TOKEN"), "{error}");
}

#[test]
fn an_error_page_after_a_break_is_not_taken_for_the_rest() {
    let (error, _) = fails(&[Answer::Truncated, Answer::Status(404)], STALL, HALF);
    assert!(matches!(error, HubError::NotFound { .. }), "{error}");
}

#[test]
fn a_transient_500_is_retried() {
    let server = hub(&[Answer::Status(500), Answer::Status(500), Answer::Good]);
    let cache = tempfile::tempdir().unwrap();
    let path = server.hub(cache.path()).fetch(&file()).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content());
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn the_token_does_not_follow_to_another_host() {
    let storage = hub(&[Answer::Good]);
    let elsewhere = storage.address.replace("127.0.0.1", "localhost");
    let server = Server::start(move |_, request, stream| {
        let target = format!("Location: {elsewhere}{}\r\n", request.path());
        head(&stream, "302 Found", 0, &target);
    });
    let cache = tempfile::tempdir().unwrap();
    leave(cache.path(), &content()[..HALF]);
    let path = server.hub(cache.path()).fetch(&file()).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content());
    assert_eq!(server.requests()[0].header("authorization"), "Bearer secret");
    assert_eq!(storage.requests()[0].header("authorization"), "");
    assert_eq!(storage.requests()[0].header("range"), "bytes=150000-");
}

#[test]
fn a_slow_server_is_waited_for_and_a_silent_one_is_not() {
    let server = hub(&[Answer::Slow]);
    let cache = tempfile::tempdir().unwrap();
    // 150 ms between pieces, 900 ms in all: longer than the bound on silence.
    let slow = Hub { stall: Duration::from_millis(600), ..server.hub(cache.path()) };
    let path = slow.fetch(&file()).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content());
    assert_eq!(server.requests().len(), 1);
    let (error, _) = fails(&[Answer::Silent], Duration::from_millis(300), HALF);
    assert!(matches!(error, HubError::Transfer { .. }), "{error}");
}

#[test]
fn a_damaged_cache_is_repaired_with_network_and_an_error_without() {
    let server = hub(&[Answer::Good]);
    let cache = tempfile::tempdir().unwrap();
    let mut hub = server.hub(cache.path());
    let path = hub.fetch(&file()).unwrap();
    std::fs::write(&path, b"half").unwrap();
    hub.offline = true;
    let error = hub.fetch(&file()).unwrap_err().to_string();
    assert!(error.contains("is damaged in the cache") && error.contains("--offline"), "{error}");
    hub.offline = false;
    let path = hub.fetch(&file()).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content());
}

#[test]
fn concurrent_fetches_download_once() {
    let server = hub(&[Answer::Slow]);
    let cache = tempfile::tempdir().unwrap();
    let hub = server.hub(cache.path());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| hub.fetch(&file()).unwrap());
        }
    });
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_unwritable_cache_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let in_the_way = dir.path().join("a_file");
    std::fs::write(&in_the_way, b"x").unwrap();
    let error = hub(&[Answer::Good]).hub(&in_the_way).fetch(&file()).unwrap_err();
    assert!(matches!(error, HubError::Cache { .. }), "{error}");
    assert!(error.to_string().contains("HF_HUB_CACHE"), "{error}");
}

/// Runs in a child process with its own environment; does nothing in the ordinary run.
#[test]
fn child_with_environment() {
    if std::env::var("AUTOGAN_TEST_CHILD").is_err() {
        return;
    }
    match Hub::from_env(false).fetch(&file()) {
        Ok(path) => println!("path {}", path.display()),
        Err(error) => println!("error {error}"),
    }
}

fn child_command(environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "fetch::child_with_environment", "--nocapture"])
        .env("AUTOGAN_TEST_CHILD", "1")
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_HUB_OFFLINE")
        .envs(environment.iter().copied());
    command
}

fn child(environment: &[(&str, &str)]) -> String {
    let output = child_command(environment).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_killed_download_leaves_nothing_that_is_taken_for_the_file_and_is_continued() {
    let silent = hub(&[Answer::Silent]);
    let cache = tempfile::tempdir().unwrap();
    let environment =
        [("HF_ENDPOINT", &*silent.address), ("HF_HUB_CACHE", cache.path().to_str().unwrap())];
    let mut process = child_command(&environment).stdout(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while files_below(cache.path()).is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    let came = part(cache.path()).metadata().unwrap().len();
    assert!(came > 0, "the download never began");

    let good = hub(&[Answer::Good]);
    let hub = good.hub(cache.path());
    assert!(hub.cached(&file()).unwrap().is_none());
    hub.fetch(&file()).unwrap();
    assert_eq!(files_below(cache.path()), [file().sha256]);
    assert_eq!(good.requests()[0].header("range"), format!("bytes={came}-"));
}

#[test]
fn the_environment_is_honoured() {
    let server = hub(&[Answer::Good]);
    let home = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let home_text = home.path().to_str().unwrap();
    let cache_text = cache.path().to_str().unwrap();
    let base =
        [("HF_ENDPOINT", &*server.address), ("HF_HOME", home_text), ("HF_TOKEN", "from-env")];

    let offline = child(&[&base[..], &[("HF_HUB_OFFLINE", "1")]].concat());
    assert!(offline.contains("offline mode is on"), "{offline}");
    assert!(server.requests().is_empty());

    let at_home = child(&base);
    assert!(
        at_home.contains(&format!("path {home_text}/hub/models--someone--weights")),
        "{at_home}"
    );
    assert!(server.requests().iter().all(|r| r.header("authorization") == "Bearer from-env"));

    let offline = child(&[&base[..], &[("HF_HUB_OFFLINE", "1")]].concat());
    assert!(offline.contains(&format!("path {home_text}/hub")), "{offline}");

    let elsewhere = child(&[&base[..], &[("HF_HUB_CACHE", cache_text)]].concat());
    assert!(elsewhere.contains(&format!("path {cache_text}/models--")), "{elsewhere}");
}
