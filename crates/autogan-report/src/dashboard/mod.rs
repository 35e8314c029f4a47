//! The dashboard shows the runs of a directory in a browser, live, and serves this machine only.
//!
//! It reads and never writes, and serves nothing from outside its directory (the module `root`
//! says how that is kept). A page of it loads nothing from elsewhere and runs no script but its
//! own (the module `protect`). The browser asks again every few seconds; an answer holds only what
//! is new (the modules `feed` and `tail`).
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
mod tail;

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use axum::Router;

use crate::error::Result;
use feed::Feed;
use root::Root;

/// Reads run directories at the same time, at the most.
const READERS: usize = 4;

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
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .max_blocking_threads(READERS)
            .build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, self.router()).await
        })
    }
}
