//! A [`Unit`] stores what one unit of work leaves in the run directory: rows, points of curves, pictures.

use autogan_run::samples::GridLayout;
use autogan_run::{Picture, Result as RunResult, RunDir, RunWriter, Scalar, Trial};

use crate::event::{SampleGrid, StepLosses};

/// The place of a job between two units of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Units of work done; it only grows.
    pub tick: u64,
    /// The stage, from 0.
    pub stage: usize,
    /// The iteration of a search, or the G iteration of a training.
    pub iteration: u64,
    /// D steps that are done.
    pub d_steps: u64,
    /// Nothing is left to do.
    pub done: bool,
}

/// The records of one unit of work.
pub struct Unit<'a> {
    writer: &'a mut RunWriter,
    place: Place,
    seconds: f64,
    marks: Marks,
}

/// What is to be done after a unit of work.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    /// A checkpoint is due.
    pub milestone: bool,
    /// The weights have the best score so far.
    pub best: bool,
}

impl<'a> Unit<'a> {
    /// A unit that begins at `place`.
    pub(crate) fn new(writer: &'a mut RunWriter, place: Place) -> Self {
        let seconds = writer.seconds();
        Self { writer, place, seconds, marks: Marks::default() }
    }

    /// What is to be done after this unit.
    pub(crate) fn marks(&self) -> Marks {
        self.marks
    }

    /// The place of the job before this unit.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The run directory.
    pub fn dir(&self) -> &RunDir {
        self.writer.dir()
    }

    /// Asks for a checkpoint after this unit.
    pub fn milestone(&mut self) {
        self.marks.milestone = true;
    }

    /// Asks for a file of the best weights after this unit.
    pub fn best(&mut self) {
        self.marks.best = true;
    }

    /// Stores a point of the curve `tag`, at the present D step.
    ///
    /// # Errors
    /// When it cannot be stored, here and below.
    pub fn scalar(&mut self, tag: &str, value: f64) -> RunResult<()> {
        self.scalar_at(self.place.d_steps, tag, value)
    }

    /// Stores points of the two loss curves, of about `points` each, where there is a G step among `n_critic` D steps.
    ///
    /// # Errors
    /// As [`Unit::scalar`].
    pub fn losses(&mut self, losses: &StepLosses, points: u64, n_critic: usize) -> RunResult<()> {
        let StepLosses { step, steps, d_steps, d_loss, g_loss, .. } = *losses;
        let at = step % (steps / points).max(1);
        if at == 0 {
            self.scalar_at(d_steps, "loss/d", d_loss)?;
        }
        match g_loss {
            Some(loss) if at < n_critic as u64 => self.scalar_at(d_steps, "loss/g", loss),
            _ => Ok(()),
        }
    }

    /// Stores a row of the table of events.
    ///
    /// # Errors
    /// As [`Unit::scalar`].
    pub fn row(&mut self, kind: &str, json: serde_json::Value) -> RunResult<()> {
        self.writer.event(&autogan_run::Event {
            tick: self.place.tick,
            kind: kind.to_owned(),
            json: json.to_string(),
            seconds: self.seconds,
        })
    }

    /// Stores a row of the table of trials.
    ///
    /// # Errors
    /// As [`Unit::scalar`].
    pub fn trial(&mut self, trial: &Trial) -> RunResult<()> {
        self.writer.trial(trial).map(drop)
    }

    /// Stores a picture of sample images.
    ///
    /// # Errors
    /// As [`Unit::scalar`].
    pub fn picture(&mut self, grid: &SampleGrid) -> RunResult<()> {
        let SampleGrid { tag, n, side, pixels, .. } = grid;
        let picture = Picture::grid(pixels, [*n, 3, *side, *side], GridLayout::square(*n, *side))?;
        let place = (self.place.stage as u32, self.place.iteration as u32, tag.as_str());
        self.writer.picture(&picture, self.place.tick, place, self.seconds)
    }

    fn scalar_at(&mut self, step: u64, tag: &str, value: f64) -> RunResult<()> {
        let (tick, tag, seconds) = (self.place.tick, tag.to_owned(), self.seconds);
        self.writer.scalar(&Scalar { tick, step, tag, value, seconds })
    }
}
