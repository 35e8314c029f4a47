//! Storing events in a run directory while they are passed on.

use std::time::{Duration, Instant};

use autogan_run::samples::GridLayout;
use autogan_run::{Picture, Result as RunResult};

use crate::error::Result;
use crate::event::{Event, Reporter};

/// What makes rows, curves and pictures of events.
pub(crate) trait Record {
    /// Stores one event.
    fn record(&mut self, event: &Event) -> RunResult<()>;
}

/// Stores events, then passes them on.
pub(crate) struct Recorder<'a, R> {
    rows: R,
    reporter: &'a mut dyn Reporter,
    /// The first thing that went wrong; reporters cannot return it.
    failure: Option<autogan_run::Error>,
    /// Time that storing took.
    spent: Duration,
}

impl<'a, R: Record> Recorder<'a, R> {
    /// A recorder that has seen nothing yet.
    pub fn new(rows: R, reporter: &'a mut dyn Reporter) -> Self {
        Self { rows, reporter, failure: None, spent: Duration::ZERO }
    }

    /// What stored the events, and the time that it took.
    ///
    /// # Errors
    /// The first that storing met.
    pub fn finish(self) -> Result<(R, Duration)> {
        match self.failure {
            Some(failure) => Err(failure.into()),
            None => Ok((self.rows, self.spent)),
        }
    }
}

impl<R: Record> Reporter for Recorder<'_, R> {
    fn event(&mut self, event: &Event) {
        if self.failure.is_none() {
            let begun = Instant::now();
            self.failure = self.rows.record(event).err();
            self.spent += begun.elapsed();
        }
        self.reporter.event(event);
    }
}

/// Which of the losses of D step `step` become points of a curve of about `points` over `steps` D steps: the
/// discriminator's, and the generator's where there is one. There is exactly one G step among `n_critic` D steps in a row.
pub(crate) fn drawn(step: u64, steps: u64, points: u64, n_critic: usize) -> (bool, bool) {
    let place = step % (steps / points).max(1);
    (place == 0, place < n_critic as u64)
}

/// A grid of `n` images `[n, 3, side, side]`, u8.
pub(crate) fn grid(pixels: &[u8], n: usize, side: usize) -> RunResult<Picture> {
    Picture::grid(pixels, [n, 3, side, side], GridLayout::square(n, side))
}
