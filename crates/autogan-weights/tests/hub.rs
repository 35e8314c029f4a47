//! Fetching pinned files from a local server that plays the hub: good file, wrong hash, truncated,
//! 404, 401, 500 then good, slow, silent; offline mode and the environment.

#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used)]

use autogan_weights::hub::{self, HubError, HubOptions, PinnedFile};
use autogan_weights::sha256_file;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// How the server answers the GETs, in order; the last answer repeats.
#[derive(Clone, Copy)]
enum Answer {
    Good,
    /// Another content of the same length.
    Other,
    /// Half of the announced bytes, then the connection closes.
    Truncated,
    /// All bytes in pieces with pauses.
    Slow,
    /// Half of the bytes, then silence.
    Silent,
    Status(u16),
    /// The HEAD finds the file, the GET does not.
    ErrorPage,
}

struct Hub {
    address: String,
    /// First lines and authorization headers of all requests.
    requests: Arc<Mutex<Vec<(String, String)>>>,
}

fn content() -> Vec<u8> {
    (0..300_000u32).map(|i| (i * 7 % 251) as u8).collect()
}

/// Starts a hub; its threads end with the test process.
fn hub(answers: &[Answer]) -> Hub {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&requests);
    let answers = answers.to_vec();
    std::thread::spawn(move || {
        let mut gets = 0;
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let (line, authorization) = request(&stream);
            log.lock().unwrap().push((line.clone(), authorization));
            let answer = answers[gets.min(answers.len() - 1)];
            if line.starts_with("GET") || matches!(answer, Answer::Status(_)) {
                gets += 1;
            }
            std::thread::spawn(move || respond(stream, &line, answer));
        }
    });
    Hub { address, requests }
}

fn request(stream: &TcpStream) -> (String, String) {
    let lines: Vec<String> = BufReader::new(stream)
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let authorization = lines
        .iter()
        .find_map(|line| {
            line.to_ascii_lowercase().starts_with("authorization: ").then(|| line[15..].to_string())
        })
        .unwrap_or_default();
    (lines[0].clone(), authorization)
}

/// Writes an answer; the client may hang up at any time, so nothing is checked.
fn respond(mut stream: TcpStream, line: &str, answer: Answer) {
    let body = content();
    let code = match answer {
        Answer::Status(code) => Some(code),
        Answer::ErrorPage if line.starts_with("GET") => Some(404),
        _ => None,
    };
    if let Some(code) = code {
        let head =
            format!("HTTP/1.1 {code} Refused\r\nContent-Length: 4\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).ok();
        if line.starts_with("GET") {
            stream.write_all(b"oops").ok();
        }
        return;
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nETag: \"x\"\r\nX-Repo-Commit: {COMMIT}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok();
    if !line.starts_with("GET") {
        return;
    }
    let half = &body[..body.len() / 2];
    match answer {
        Answer::Other => drop(stream.write_all(&vec![9; body.len()])),
        Answer::Truncated => drop(stream.write_all(half)),
        Answer::Silent => {
            stream.write_all(half).ok();
            std::thread::sleep(Duration::from_secs(20));
        }
        Answer::Slow => {
            for piece in body.chunks(body.len() / 5) {
                std::thread::sleep(Duration::from_millis(150));
                stream.write_all(piece).ok();
            }
        }
        _ => drop(stream.write_all(&body)),
    }
}

fn file() -> PinnedFile {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("content");
    std::fs::write(&path, content()).unwrap();
    PinnedFile {
        repo: "someone/weights".into(),
        revision: COMMIT.into(),
        filename: "sub folder/net.pth".into(),
        sha256: sha256_file(path).unwrap().into(),
    }
}

fn options(hub: &Hub, cache: &Path) -> HubOptions {
    HubOptions {
        offline: false,
        endpoint: Some(hub.address.clone()),
        cache_dir: Some(cache.to_path_buf()),
        token: Some("secret".to_string()),
        stall: Duration::from_secs(10),
    }
}

/// Regular files of more than 0 bytes anywhere below: there are none when nothing was kept.
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

/// Fetches from a hub that answers so, and checks that a failure left nothing.
fn fails(answers: &[Answer], stall: Duration) -> (HubError, Hub) {
    let hub = hub(answers);
    let cache = tempfile::tempdir().unwrap();
    let options = HubOptions { stall, ..options(&hub, cache.path()) };
    let error = hub::fetch(&file(), &options, None).unwrap_err();
    assert_eq!(files_below(cache.path()), Vec::<String>::new(), "after {error}");
    assert!(hub::cached(&file(), &options).unwrap().is_none());
    (error, hub)
}

const STALL: Duration = Duration::from_secs(10);

#[test]
fn a_good_file_is_fetched_once_and_found_again_offline() {
    let hub = hub(&[Answer::Good]);
    let cache = tempfile::tempdir().unwrap();
    let mut options = options(&hub, cache.path());
    let seen = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&seen);
    let progress: hub::OnProgress = Arc::new(move |bytes, total| {
        assert_eq!(total, 300_000);
        counter.fetch_max(bytes, Ordering::Relaxed);
    });
    let path = hub::fetch(&file(), &options, Some(progress)).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), content());
    assert_eq!(seen.load(Ordering::Relaxed), 300_000);
    assert_eq!(files_below(cache.path()), [file().sha256]);
    let expected = cache.path().join("models--someone--weights/snapshots").join(COMMIT);
    assert_eq!(path, expected.join("sub folder/net.pth"));
    let requests = hub.requests.lock().unwrap().clone();
    let url = format!("/someone/weights/resolve/{COMMIT}/sub%20folder/net.pth");
    assert!(requests.iter().all(|(line, _)| line.contains(&url)), "{requests:?}");
    assert!(requests.iter().all(|(_, token)| token == "Bearer secret"), "{requests:?}");

    options.offline = true;
    assert_eq!(hub::fetch(&file(), &options, None).unwrap(), path);
    assert_eq!(hub::cached(&file(), &options).unwrap(), Some(path));
    assert_eq!(hub.requests.lock().unwrap().len(), requests.len());
}

#[test]
fn a_branch_is_found_again_by_its_content() {
    let hub = hub(&[Answer::Good]);
    let cache = tempfile::tempdir().unwrap();
    let mut options = options(&hub, cache.path());
    let branch = file().at("someone/weights", "main");
    let path = hub::fetch(&branch, &options, None).unwrap();
    options.offline = true;
    assert_eq!(hub::fetch(&branch, &options, None).unwrap(), path);
    assert_eq!(std::fs::read(path).unwrap(), content());
}

#[test]
fn another_content_is_discarded() {
    let (error, _) = fails(&[Answer::Other], STALL);
    let text = error.to_string();
    assert!(matches!(error, HubError::WrongHash { .. }), "{text}");
    assert!(text.contains("expected SHA-256") && text.contains("300000 bytes"), "{text}");
    assert!(text.contains("try again"), "{text}");
}

#[test]
fn a_truncated_download_is_retried_then_reported() {
    let (error, hub) = fails(&[Answer::Truncated], STALL);
    assert!(matches!(error, HubError::Transfer { .. }), "{error}");
    assert!(error.to_string().contains("HF_ENDPOINT"), "{error}");
    let lines = hub.requests.lock().unwrap().clone();
    assert_eq!(lines.iter().filter(|(l, _)| l.starts_with("GET")).count(), 3);
}

#[test]
fn a_break_midway_then_a_good_answer_succeeds() {
    let hub = hub(&[Answer::Truncated, Answer::Good]);
    let cache = tempfile::tempdir().unwrap();
    let path = hub::fetch(&file(), &options(&hub, cache.path()), None).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content());
}

#[test]
fn not_found_and_refused_say_what_to_do() {
    let (error, _) = fails(&[Answer::Status(404)], STALL);
    assert!(matches!(error, HubError::NotFound { .. }), "{error}");
    let (error, _) = fails(&[Answer::Status(401)], STALL);
    assert!(matches!(error, HubError::Denied { .. }), "{error}");
    assert!(error.to_string().contains("HF_TOKEN"), "{error}");
}

#[test]
fn an_error_page_behind_a_good_head_is_not_taken_for_the_file() {
    let (error, _) = fails(&[Answer::ErrorPage], STALL);
    assert!(matches!(error, HubError::NotFound { .. }), "{error}");
}

#[test]
fn a_transient_500_is_retried() {
    let hub = hub(&[Answer::Status(500), Answer::Status(500), Answer::Good]);
    let cache = tempfile::tempdir().unwrap();
    let path = hub::fetch(&file(), &options(&hub, cache.path()), None).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content());
    let lines = hub.requests.lock().unwrap().len();
    assert!(lines >= 4, "two refusals, HEAD and GET, but {lines} requests");
}

#[test]
fn a_slow_server_is_waited_for_and_a_silent_one_is_not() {
    let hub = hub(&[Answer::Slow]);
    let cache = tempfile::tempdir().unwrap();
    // 150 ms between pieces, 900 ms in all: longer than the bound on silence.
    let slow = HubOptions { stall: Duration::from_millis(600), ..options(&hub, cache.path()) };
    let path = hub::fetch(&file(), &slow, None).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content());
    let (error, _) = fails(&[Answer::Silent], Duration::from_millis(300));
    assert!(matches!(error, HubError::Transfer { .. }), "{error}");
}

#[test]
fn a_damaged_cache_is_repaired_with_network_and_an_error_without() {
    let hub = hub(&[Answer::Good]);
    let cache = tempfile::tempdir().unwrap();
    let mut options = options(&hub, cache.path());
    let path = hub::fetch(&file(), &options, None).unwrap();
    std::fs::write(&path, b"half").unwrap();
    options.offline = true;
    let error = hub::fetch(&file(), &options, None).unwrap_err().to_string();
    assert!(error.contains("is damaged in the cache") && error.contains("--offline"), "{error}");
    options.offline = false;
    let path = hub::fetch(&file(), &options, None).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content());
}

#[test]
fn what_a_killed_download_left_is_removed() {
    let hub = hub(&[Answer::Good]);
    let cache = tempfile::tempdir().unwrap();
    let left = cache.path().join("models--someone--weights/.fetch-dead");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("net.pth"), b"half").unwrap();
    hub::fetch(&file(), &options(&hub, cache.path()), None).unwrap();
    assert!(!left.exists());
}

#[test]
fn concurrent_fetches_download_once() {
    let hub = hub(&[Answer::Slow]);
    let cache = tempfile::tempdir().unwrap();
    let options = options(&hub, cache.path());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| hub::fetch(&file(), &options, None).unwrap());
        }
    });
    let lines = hub.requests.lock().unwrap().clone();
    assert_eq!(lines.iter().filter(|(l, _)| l.starts_with("GET")).count(), 1);
}

#[test]
fn an_unwritable_cache_is_named() {
    let hub = hub(&[Answer::Good]);
    let dir = tempfile::tempdir().unwrap();
    let in_the_way = dir.path().join("a_file");
    std::fs::write(&in_the_way, b"x").unwrap();
    let error = hub::fetch(&file(), &options(&hub, &in_the_way), None).unwrap_err();
    assert!(matches!(error, HubError::Cache { .. }), "{error}");
    assert!(error.to_string().contains("HF_HUB_CACHE"), "{error}");
}

/// Runs in a child process with its own environment; does nothing in the ordinary run.
#[test]
fn child_with_environment() {
    if std::env::var("AUTOGAN_TEST_CHILD").is_err() {
        return;
    }
    match hub::fetch(&file(), &HubOptions::from_env(false), None) {
        Ok(path) => println!("path {}", path.display()),
        Err(error) => println!("error {error}"),
    }
}

fn child_command(environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child_with_environment", "--nocapture"])
        .env("AUTOGAN_TEST_CHILD", "1")
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
fn a_killed_download_leaves_nothing_that_is_taken_for_the_file() {
    let silent = hub(&[Answer::Silent]);
    let cache = tempfile::tempdir().unwrap();
    let environment =
        [("HF_ENDPOINT", &*silent.address), ("HF_HUB_CACHE", cache.path().to_str().unwrap())];
    let mut process = child_command(&environment).stdout(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while files_below(cache.path()).is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!files_below(cache.path()).is_empty(), "the download never began");
    process.kill().unwrap();
    process.wait().unwrap();

    let good = hub(&[Answer::Good]);
    let options = options(&good, cache.path());
    assert!(hub::cached(&file(), &options).unwrap().is_none());
    hub::fetch(&file(), &options, None).unwrap();
    assert_eq!(files_below(cache.path()), [file().sha256]);
}

#[test]
fn the_environment_is_honoured() {
    let hub = hub(&[Answer::Good]);
    let home = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let home_text = home.path().to_str().unwrap();
    let cache_text = cache.path().to_str().unwrap();
    let base = [("HF_ENDPOINT", &*hub.address), ("HF_HOME", home_text), ("HF_TOKEN", "from-env")];

    let offline = child(&[&base[..], &[("HF_HUB_OFFLINE", "1")]].concat());
    assert!(offline.contains("offline mode is on"), "{offline}");
    assert!(hub.requests.lock().unwrap().is_empty());

    let at_home = child(&base);
    assert!(
        at_home.contains(&format!("path {home_text}/hub/models--someone--weights")),
        "{at_home}"
    );
    assert!(hub.requests.lock().unwrap().iter().all(|(_, token)| token == "Bearer from-env"));

    let offline = child(&[&base[..], &[("HF_HUB_OFFLINE", "1")]].concat());
    assert!(offline.contains(&format!("path {home_text}/hub")), "{offline}");

    let elsewhere = child(&[&base[..], &[("HF_HUB_CACHE", cache_text)]].concat());
    assert!(elsewhere.contains(&format!("path {cache_text}/models--")), "{elsewhere}");
}
