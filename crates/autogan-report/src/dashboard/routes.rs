//! [`router`] connects each path of the dashboard with its answer.

use std::sync::Arc;

use autogan_files::plain;
use autogan_run::RunDir;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH};
use axum::http::{StatusCode, Uri};
use axum::middleware::from_fn;
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use super::feed::{Feed, Line};
use super::inspect::{CommandLine, inspect, resume};
use super::work::Work;
use super::{assets, protect, tail};
use crate::data::RunData;
use crate::report::LARGEST_PICTURE;

/// With which every PNG begins.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

type FeedState = State<Arc<Served>>;

/// Everything that the dashboard answers.
pub fn router(feed: Arc<Feed>) -> Router {
    let served = Arc::new(Served { feed, work: Work::default() });
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
        .with_state(served)
}

/// What the answers are made from.
struct Served {
    feed: Arc<Feed>,
    work: Work,
}

/// An answer that says what went wrong.
struct Failure(StatusCode, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let text = serde_json::json!({ "error": self.1 }).to_string();
        (self.0, [(CONTENT_TYPE, "application/json")], text).into_response()
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

async fn list(State(served): FeedState) -> Result<Response, Failure> {
    served
        .answer(move |feed| {
            let runs = feed
                .list()
                .map_err(|error| Failure(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
            let directory = feed.root.named().display().to_string();
            json(&RunList { directory, runs })
        })
        .await
}

async fn whole(
    State(served): FeedState,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    served.answer(move |feed| run_from(feed, &name, 0, &headers)).await
}

async fn since(
    State(served): FeedState,
    Path((name, iteration)): Path<(String, u32)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    served.answer(move |feed| run_from(feed, &name, iteration, &headers)).await
}

fn run_from(feed: &Feed, name: &str, since: u32, seen: &HeaderMap) -> Result<Answer, Failure> {
    let run = admitted(feed, name)?;
    let look = feed.look(&run);
    if seen.get(IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == look.mark.as_bytes()) {
        return Ok(Answer { mark: Some(look.mark), ..Answer::UNCHANGED });
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
    Ok(Answer { mark: Some(look.mark), ..json(&answer)? })
}

async fn arch(
    State(served): FeedState,
    Path((name, vector)): Path<(String, String)>,
) -> Result<Response, Failure> {
    served
        .answer(move |feed| {
            let run = admitted(feed, &name)?;
            let look = feed.look(&run);
            let found = inspect(&vector, &look.data.plan, &feed.root.path_of(&name))
                .map_err(|error| Failure(StatusCode::BAD_REQUEST, error.to_string()))?;
            json(&found)
        })
        .await
}

async fn picture(
    State(served): FeedState,
    Path((name, file)): Path<(String, String)>,
) -> Result<Response, Failure> {
    served
        .answer(move |feed| {
            let run = admitted(feed, &name)?;
            let none = || missing("picture", &file);
            let opened = feed.root.picture(&run, &file).ok_or_else(none)?;
            let bytes = plain::read_all(&opened, LARGEST_PICTURE).ok();
            let bytes = bytes.filter(|bytes| bytes.starts_with(PNG)).ok_or_else(none)?;
            Ok(Answer { kind: "image/png", bytes, ..Answer::UNCHANGED })
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

/// What was read for a request.
struct Answer {
    kind: &'static str,
    bytes: Vec<u8>,
    /// Changes when the run does.
    mark: Option<String>,
}

impl Answer {
    /// That nothing is new: it has no content.
    const UNCHANGED: Answer = Answer { kind: "", bytes: Vec::new(), mark: None };
}

impl Served {
    /// Reads files off the thread that answers, when its turn has come, and sends what was read.
    async fn answer(
        self: Arc<Self>,
        read: impl FnOnce(&Feed) -> Result<Answer, Failure> + Send + 'static,
    ) -> Result<Response, Failure> {
        let served = Arc::clone(&self);
        let read = self.work.read(move || read(&served.feed)).await;
        let unread = |error| {
            Err(Failure(StatusCode::INTERNAL_SERVER_ERROR, format!("reading failed: {error}")))
        };
        let Answer { kind, bytes, mark } = read.unwrap_or_else(unread)?;
        let mark = AppendHeaders(mark.map(|mark| (ETAG, mark)));
        if kind.is_empty() {
            return Ok((StatusCode::NOT_MODIFIED, mark).into_response());
        }
        let Some(body) = self.work.body(bytes) else {
            let why = "too many long answers are on their way; ask again in a moment";
            return Err(Failure(StatusCode::SERVICE_UNAVAILABLE, why.to_owned()));
        };
        Ok((mark, [(CONTENT_TYPE, kind)], body).into_response())
    }
}

fn json(value: &impl Serialize) -> Result<Answer, Failure> {
    let failed =
        |error: serde_json::Error| Failure(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let bytes = serde_json::to_vec(value).map_err(failed)?;
    Ok(Answer { kind: "application/json", bytes, ..Answer::UNCHANGED })
}
