//! One download through the crate `hf-hub`, with a bound on silence and retries on interruption.
//!
//! `hf-hub` retries requests that are refused with a transient status (500, 503, 429, …); it
//! neither bounds how long a connection may be silent nor retries one that breaks midway.

use super::{HubError, HubOptions, OnProgress, PinnedFile};
use hf_hub::progress::{DownloadEvent, Progress, ProgressEvent, ProgressHandler};
use hf_hub::{HFClient, HFClientSync, HFError};
use std::path::{Path, PathBuf};

/// Attempts at a transfer that breaks midway.
const ATTEMPTS: usize = 3;
const USER_AGENT: &str = concat!("autogan/", env!("CARGO_PKG_VERSION"));

/// Downloads into `folder` and gives the file's path there; its content is not checked.
pub(super) fn download(
    file: &PinnedFile,
    options: &HubOptions,
    folder: &Path,
    progress: Option<OnProgress>,
) -> Result<PathBuf, HubError> {
    let client = client(options).map_err(|e| classify(file, &e))?;
    let (owner, name) = hf_hub::split_id(&file.repo);
    let repository = client.model(owner, name);
    let mut attempt = 1;
    loop {
        let result = repository
            .download_file()
            .filename(&*file.filename)
            .revision(&*file.revision)
            .local_dir(folder)
            .maybe_progress(progress.clone().map(|p| Progress::new(Forward(p))))
            .send();
        match result {
            Ok(path) => return Ok(path),
            Err(HFError::Request { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(classify(file, &error)),
        }
    }
}

fn client(options: &HubOptions) -> Result<HFClientSync, HFError> {
    let http = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(options.stall)
        .read_timeout(options.stall)
        .build()?;
    let mut builder = HFClient::builder().client(http).user_agent(USER_AGENT);
    if let Some(endpoint) = &options.endpoint {
        builder = builder.endpoint(endpoint);
    }
    if let Some(token) = &options.token {
        builder = builder.token(token);
    }
    builder.build_sync()
}

fn classify(file: &PinnedFile, error: &HFError) -> HubError {
    let file = file.to_string();
    let reason = chain(error);
    match error {
        HFError::RepoNotFound { .. }
        | HFError::RevisionNotFound { .. }
        | HFError::EntryNotFound { .. } => HubError::NotFound { file, reason },
        HFError::AuthRequired { .. } | HFError::Forbidden { .. } => {
            HubError::Denied { file, reason }
        }
        HFError::Io(_) => HubError::cache(reason),
        _ => HubError::Transfer { file, reason },
    }
}

/// The error with its causes, which reqwest's own text leaves out.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Passes bytes and size on.
struct Forward(OnProgress);

impl ProgressHandler for Forward {
    fn on_progress(&self, event: &ProgressEvent) {
        if let ProgressEvent::Download(DownloadEvent::Progress { files }) = event {
            for file in files {
                (self.0)(file.bytes_completed, file.total_bytes);
            }
        }
    }
}
