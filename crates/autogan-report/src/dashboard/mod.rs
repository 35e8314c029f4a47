//! The dashboard shows the runs of a directory in a browser, live, and serves this machine only.
//!
//! It reads and never writes, and serves nothing from outside its directory (the module `root`
//! says how that is kept). A page of it loads nothing from elsewhere and runs no script but its
//! own (the module `protect`). The browser asks again every few seconds; an answer holds only what
//! is new (the modules `feed` and `tail`). Slow clients, and many of them, take no more than a bounded
//! amount of memory and files, and keep nobody out (the modules `serve` and `work`).
//!
//! | path | answer |
//! |---|---|
//! | `/`, `/assets/…` | the page, from this binary |
//! | `/api/runs` | every run with its summary, or with what is wrong with it |
//! | `/api/runs/{run}`, `/api/runs/{run}/since/{iteration}` | a run, all of it or from an iteration on |
//! | `/api/runs/{run}/arch/{vector}` | an architecture: drawing, cost, commands |
//! | `/runs/{run}/samples/{file}` | a sample grid |

mod assets;
mod feed;
mod inspect;
mod protect;
mod root;
mod routes;
mod serve;
mod tail;
mod work;

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use axum::Router;

use crate::error::Result;
use feed::Feed;
use root::Root;

/// A dashboard over one directory, ready to be served.
#[derive(Debug, Clone)]
pub struct Dashboard {
    feed: Arc<Feed>,
}

impl Dashboard {
    /// Over the runs in `runs`, or over the one run that lies there.
    ///
    /// # Errors
    /// [`crate::Error::Run`] if there is no such directory.
    pub fn open(runs: &Path) -> Result<Dashboard> {
        Ok(Dashboard { feed: Arc::new(Feed::new(Root::open(runs)?)) })
    }

    /// What answers requests.
    pub fn router(&self) -> Router {
        routes::router(Arc::clone(&self.feed))
    }

    /// Answers requests until the process ends.
    ///
    /// # Errors
    /// The operating system's, when it refuses a thread or the socket.
    pub fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        serve::serve(listener, &self.router(), serve::Limits::USUAL)
    }
}
