//! [`router`] connects each path of the dashboard with its answer.

use std::sync::Arc;

use autogan_run::RunDir;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH};
use axum::http::{StatusCode, Uri};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use super::feed::{Feed, Line};
use super::inspect::{CommandLine, inspect, resume};
use super::{assets, protect, tail};
use crate::data::RunData;

/// The most bytes of a picture that are served.
const PICTURE_BYTES: u64 = 64 << 20;
/// With which every PNG begins.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

type FeedState = State<Arc<Feed>>;

/// Everything that the dashboard answers.
pub fn router(feed: Arc<Feed>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/assets/{name}", get(asset))
        .route("/api/runs", get(list))
        .route("/api/runs/{run}", get(whole))
        .route("/api/runs/{run}/since/{iteration}", get(since))
        .route("/api/runs/{run}/arch/{vector}", get(arch))
        .route("/runs/{run}/samples/{file}", get(picture))
        .fallback(nothing)
        .layer(from_fn(protect::protect))
        .with_state(feed)
}

/// An answer that says what went wrong.
struct Failure(StatusCode, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, json(&serde_json::json!({ "error": self.1 }))).into_response()
    }
}

#[derive(Serialize)]
struct RunList {
    /// The directory as the user named it.
    directory: String,
    runs: Vec<Line>,
}

#[derive(Serialize)]
struct RunAnswer<'a> {
    /// The first iteration whose trials and series are in here.
    since: u32,
    /// Trials of the whole run.
    trial_count: usize,
    /// How it goes on.
    resume: CommandLine,
    #[serde(flatten)]
    data: &'a RunData,
}

async fn page() -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], assets::PAGE).into_response()
}

async fn asset(Path(name): Path<String>) -> Result<Response, Failure> {
    let asset = assets::find(&name).ok_or_else(|| missing("asset", &name))?;
    Ok(([(CONTENT_TYPE, asset.kind)], asset.text).into_response())
}

async fn list(State(feed): FeedState) -> Result<Response, Failure> {
    blocking(move || {
        let runs = feed
            .list()
            .map_err(|error| Failure(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        let directory = feed.root.named().display().to_string();
        Ok(json(&RunList { directory, runs }))
    })
    .await
}

async fn whole(
    State(feed): FeedState,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(move || run_from(&feed, &name, 0, &headers)).await
}

async fn since(
    State(feed): FeedState,
    Path((name, iteration)): Path<(String, u32)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(move || run_from(&feed, &name, iteration, &headers)).await
}

fn run_from(feed: &Feed, name: &str, since: u32, seen: &HeaderMap) -> Result<Response, Failure> {
    let run = admitted(feed, name)?;
    let look = feed.look(&run);
    let etag = [(ETAG, look.mark.clone())];
    if seen.get(IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == look.mark.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, etag).into_response());
    }
    let cut;
    let data = if since == 0 {
        look.data.as_ref()
    } else {
        cut = tail::tail(&look.data, since);
        &cut
    };
    let resume = resume(&feed.root.path_of(name), look.data.plan.training.is_some());
    let answer = RunAnswer { since, trial_count: look.data.trials.len(), resume, data };
    Ok((etag, json(&answer)).into_response())
}

async fn arch(
    State(feed): FeedState,
    Path((name, vector)): Path<(String, String)>,
) -> Result<Response, Failure> {
    blocking(move || {
        let run = admitted(&feed, &name)?;
        let look = feed.look(&run);
        let found = inspect(&vector, &look.data.plan, &feed.root.path_of(&name))
            .map_err(|error| Failure(StatusCode::BAD_REQUEST, error.to_string()))?;
        Ok(json(&found))
    })
    .await
}

async fn picture(
    State(feed): FeedState,
    Path((name, file)): Path<(String, String)>,
) -> Result<Response, Failure> {
    blocking(move || {
        let run = admitted(&feed, &name)?;
        let none = || missing("picture", &file);
        let path = feed.root.picture(&run, &file).ok_or_else(none)?;
        let length = std::fs::metadata(&path).map_err(|_| none())?.len();
        let bytes = if length <= PICTURE_BYTES { std::fs::read(&path).ok() } else { None };
        let bytes = bytes.filter(|bytes| bytes.starts_with(PNG)).ok_or_else(none)?;
        Ok(([(CONTENT_TYPE, "image/png")], bytes).into_response())
    })
    .await
}

async fn nothing(uri: Uri) -> Failure {
    missing("page", uri.path())
}

fn admitted(feed: &Feed, name: &str) -> Result<RunDir, Failure> {
    let found = feed.root.run(name).ok_or_else(|| missing("run", name))?;
    found.map_err(|why| Failure(StatusCode::FORBIDDEN, why))
}

fn missing(what: &str, name: &str) -> Failure {
    Failure(StatusCode::NOT_FOUND, format!("there is no {what} {name:?}"))
}

/// Reads files off the thread that answers.
async fn blocking(
    read: impl FnOnce() -> Result<Response, Failure> + Send + 'static,
) -> Result<Response, Failure> {
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| {
        Err(Failure(StatusCode::INTERNAL_SERVER_ERROR, format!("reading failed: {error}")))
    })
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => ([(CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
