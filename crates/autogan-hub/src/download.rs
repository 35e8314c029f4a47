//! This module sends requests to the hub by `ureq`. They download files, of which a part may be here, and ask questions
//! that the hub answers in JSON.
//!
//! A transfer that breaks is continued where it broke, until three attempts in a row have brought no byte.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::config::RedirectAuthHeaders;
use ureq::http::{HeaderMap, Response};
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, RequestBuilder};

use crate::cache::{RepoCache, is_commit, is_hex};
use crate::{Hub, HubError, MissingFile, PinnedFile, RepoKind};

/// Attempts in a row that may bring no byte.
const ATTEMPTS: u32 = 3;
/// The pause after the first of them; the second is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes of an answer in JSON at most.
const ANSWER: u64 = 16 << 20;
const USER_AGENT: &str = concat!("autogan/", env!("CARGO_PKG_VERSION"));

/// The characters that stay as they are in one segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The characters that stay as they are in a path.
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// An attempt that failed.
enum Failure {
    /// A failure that is worth another attempt: the text says what happened.
    Transient(String),
    /// The hub refuses for good: status and text.
    Refused(u16, String),
    /// The part cannot be written.
    Disk(HubError),
}

impl Failure {
    fn into_error(self, file: &str, place: &Path) -> HubError {
        let (kind, reason): (fn(MissingFile) -> HubError, String) = match self {
            Failure::Disk(error) => return error,
            Failure::Refused(404 | 410, reason) => (HubError::NotFound, reason),
            Failure::Refused(401 | 403, reason) => (HubError::Denied, reason),
            Failure::Transient(reason) | Failure::Refused(_, reason) => {
                (HubError::Transfer, reason)
            }
        };
        kind(MissingFile { file: file.to_string(), reason, place: place.to_path_buf() })
    }
}

/// What the hub tells of a file before it is downloaded.
pub(crate) struct Told {
    /// The commit that the revision names now.
    pub commit: Option<String>,
    /// The hash of a large file.
    pub sha256: Option<String>,
}

/// Redirections within the hub that are followed to a file: a repository has a new name.
const RENAMES: u32 = 3;

/// Asks the hub for the headers of a file, without the place where it is stored.
pub(crate) fn look(hub: &Hub, cache: &RepoCache, file: &PinnedFile) -> Result<Told, HubError> {
    let agent = agent(hub);
    let mut address = address(file);
    for _ in 0..RENAMES {
        let response = attempts(&file.to_string(), &cache.place(file), || {
            (head(hub, &agent, &address), false)
        })?;
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.map(|text| text.trim_start_matches("W/").trim_matches('"').to_owned())
        };
        match header("Location").as_deref().and_then(|place| place.strip_prefix('/')) {
            // The storage of large files has an address of its own, with a host.
            Some(place) if !place.starts_with('/') => address = place.to_owned(),
            _ => {
                let commit = header("X-Repo-Commit").filter(|commit| is_commit(commit));
                let sha256 = header("X-Linked-Etag").filter(|hash| is_hex(hash, 64));
                return Ok(Told { commit, sha256 });
            }
        }
    }
    Ok(Told { commit: None, sha256: None })
}

/// Downloads what `part` does not hold yet of the file. The content is not checked.
pub(crate) fn download(
    hub: &Hub,
    cache: &RepoCache,
    file: &PinnedFile,
    part: &Path,
) -> Result<(), HubError> {
    let address = address(file);
    let agent = agent(hub);
    let mut reached = size(part);
    attempts(&file.to_string(), &cache.place(file), || {
        let result = go_on(hub, &agent, &address, file, part);
        let grew = size(part) > reached;
        reached = reached.max(size(part));
        (result, grew)
    })
}

/// Where the hub has a file, without the hub's own address.
fn address(file: &PinnedFile) -> String {
    let prefix = match file.kind {
        RepoKind::Model => "",
        RepoKind::Dataset => "datasets/",
    };
    let revision = utf8_percent_encode(&file.revision, SEGMENT);
    let name = utf8_percent_encode(&file.filename, PATH);
    format!("{prefix}{}/resolve/{revision}/{name}", file.repo)
}

/// What the hub answers to a question about a repository; `file` and `place` are for errors.
pub(crate) fn ask(hub: &Hub, address: &str, file: &str, place: &Path) -> Result<Value, HubError> {
    let agent = agent(hub);
    attempts(file, place, || {
        let answer = request(hub, &agent, address, 0).and_then(|response| {
            let body = response.into_body().into_with_config().limit(ANSWER);
            let text = body.read_to_string().map_err(broken)?;
            serde_json::from_str(&text).map_err(|e| Failure::Refused(200, e.to_string()))
        });
        (answer, false)
    })
}

/// Calls `attempt` until there is an answer, a refusal, or too many failures that brought no byte (the second value is
/// false).
fn attempts<T>(
    file: &str,
    place: &Path,
    mut attempt: impl FnMut() -> (Result<T, Failure>, bool),
) -> Result<T, HubError> {
    let mut failures = 0;
    loop {
        let (result, grew) = attempt();
        failures = if grew { 1 } else { failures + 1 };
        match result {
            Ok(value) => return Ok(value),
            Err(Failure::Transient(_)) if failures < ATTEMPTS => {
                std::thread::sleep(PAUSE * failures);
            }
            Err(failure) => return Err(failure.into_error(file, place)),
        }
    }
}

fn agent(hub: &Hub) -> Agent {
    let stall = Some(hub.stall);
    Agent::config_builder()
        .user_agent(USER_AGENT)
        .http_status_as_error(false)
        .redirect_auth_headers(RedirectAuthHeaders::SameHost)
        .timeout_resolve(stall)
        .timeout_connect(stall)
        .timeout_recv_response(stall)
        .timeout_per_read(stall)
        .build()
        .new_agent()
}

/// The answer to a GET, from byte `from` on; an error when it is a refusal.
fn request(hub: &Hub, agent: &Agent, address: &str, from: u64) -> Result<Response<Body>, Failure> {
    let mut request = authorized(hub, agent.get(url(hub, address)));
    if from > 0 {
        request = request.header("Range", format!("bytes={from}-"));
    }
    let response = request.call().map_err(broken)?;
    match response.status().as_u16() {
        200 | 206 => Ok(response),
        416 if from > 0 => Ok(response),
        _ => Err(refusal(&response)),
    }
}

/// The answer to a HEAD; where it points elsewhere, nobody is asked there.
fn head(hub: &Hub, agent: &Agent, address: &str) -> Result<Response<Body>, Failure> {
    let request = authorized(hub, agent.head(url(hub, address)));
    let response = request.config().max_redirects(0).build().call().map_err(broken)?;
    match response.status().as_u16() {
        200 | 300..=399 => Ok(response),
        _ => Err(refusal(&response)),
    }
}

fn url(hub: &Hub, address: &str) -> String {
    format!("{}/{address}", hub.endpoint.trim_end_matches('/'))
}

/// The request with the token, where there is one.
fn authorized(hub: &Hub, request: RequestBuilder<WithoutBody>) -> RequestBuilder<WithoutBody> {
    match &hub.token {
        Some(token) => request.header("Authorization", format!("Bearer {token}")),
        None => request,
    }
}

/// An answer that is none.
fn refusal(response: &Response<Body>) -> Failure {
    match response.status().as_u16() {
        408 | 429 | 500..=599 => Failure::Transient(said(response)),
        code => Failure::Refused(code, said(response)),
    }
}

/// Appends to `part` what it lacks.
fn go_on(
    hub: &Hub,
    agent: &Agent,
    address: &str,
    file: &PinnedFile,
    part: &Path,
) -> Result<(), Failure> {
    let disk = |e: std::io::Error| Failure::Disk(HubError::at(part, "write it", &e));
    let from = size(part);
    let response = request(hub, agent, address, from)?;
    let here = match response.status().as_u16() {
        // All of it is here.
        416 => return Ok(()),
        206 if continues(response.headers(), from) => from,
        // The server does not continue files.
        _ => 0,
    };
    let mut out = OpenOptions::new().create(true).append(true).open(part).map_err(disk)?;
    out.set_len(here).map_err(disk)?;
    let length = response.body().content_length();
    let total = length.map_or(0, |length| here + length);
    let mut body = response.into_body().into_reader();
    let mut done = here;
    let mut buffer = vec![0u8; 1 << 16];
    loop {
        if let Some(progress) = &hub.progress {
            progress(&file.filename, done, total);
        }
        let count = body.read(&mut buffer).map_err(broken)?;
        if count == 0 {
            break;
        }
        out.write_all(&buffer[..count]).map_err(disk)?;
        done += count as u64;
    }
    if length.is_some() && done < total {
        return Err(Failure::Transient(format!(
            "the transfer ended after {done} of {total} bytes"
        )));
    }
    out.sync_all().map_err(disk)
}

/// Whether an answer is the rest of a file from byte `from` on.
fn continues(headers: &HeaderMap, from: u64) -> bool {
    let range = headers.get("Content-Range").and_then(|value| value.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {from}-")))
}

/// Status and, where the hub gives one, the reason.
fn said(response: &Response<Body>) -> String {
    let reason = response.headers().get("X-Error-Message").and_then(|value| value.to_str().ok());
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("the answer is {}{reason}", response.status())
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::Transient(error.to_string())
}

fn size(part: &Path) -> u64 {
    fs::metadata(part).map_or(0, |metadata| metadata.len())
}
