//! A training in its run directory: scores become curves, grids pictures, the best weights a file.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use autogan_run::{Checkpoint, RunDir, RunWriter, Scalar};

use super::training::{Training, TrainingPhase, TrainingPosition};
use crate::config::TrainingConfig;
use crate::error::Result;
use crate::event::{Event, Reporter};
use crate::record::{Record, Recorder, drawn, grid};
use crate::run::{Outcome, Ran, RunOptions, diverged};

/// Points of a loss curve that are stored.
const CURVE_POINTS: u64 = 1000;

/// Advances the training to its end, or until it is asked to stop, keeping its run directory in step: a
/// checkpoint after each score, `best.safetensors` whenever one is the best so far, `scores.json` at the end.
///
/// What `scores.json` names is there: a `best.safetensors` that is gone or damaged is written anew where the weights of
/// that score are at hand, and forgotten with its score where they are not.
///
/// # Errors
/// When the training fails or the directory cannot be written; the last checkpoint is intact then.
pub fn run_training(
    training: &mut Training,
    writer: &mut RunWriter,
    reporter: &mut dyn Reporter,
    options: &RunOptions<'_>,
) -> Result<Ran> {
    let begun = Instant::now();
    let (mut saved, mut recording) = (begun, Duration::ZERO);
    let config = training.config().clone();
    mend_best(training, writer, reporter)?;
    let outcome = loop {
        let seconds = writer.seconds();
        let position = training.position();
        let rows = Rows { config: &config, writer: &mut *writer, position, seconds, best: false };
        let mut recorder = Recorder::new(rows, reporter);
        let advanced = training.advance(&mut recorder);
        let (Rows { best, .. }, spent) = recorder.finish()?;
        recording += spent;
        let more = advanced.or_else(|error| diverged(error, writer, position.tick))?;
        if !more {
            mend_scores(training, writer)?;
            break Outcome::Finished;
        }
        let at = Instant::now();
        if best {
            training.averaged()?.write(&writer.dir().best_path())?;
        }
        let over = training.position().phase == TrainingPhase::Done;
        let stop = options.stop.load(Ordering::Relaxed);
        // What is the best so far is remembered with the file that holds it.
        let scored = position.phase == TrainingPhase::Score;
        if scored || over || stop || saved.elapsed() >= options.checkpoint_every {
            let tick = training.position().tick;
            let checkpoint = training.save().or_else(|error| diverged(error, writer, tick))?;
            writer.save(checkpoint)?;
            saved = Instant::now();
        }
        recording += at.elapsed();
        if stop && !over {
            break Outcome::Stopped;
        }
    };
    let ran = Ran { outcome, elapsed: begun.elapsed(), recording };
    ran.note(writer, training.position().tick)?;
    Ok(ran)
}

/// Whether the best weights of a training that has a score are there as they were written.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn best_is_intact(dir: &RunDir) -> Result<bool> {
    match Checkpoint::read(&dir.best_path()) {
        Ok(_) => Ok(true),
        Err(autogan_run::Error::Damaged { .. }) => Ok(false),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Sees to it that the best score so far is one whose weights are in `best.safetensors`.
fn mend_best(
    training: &mut Training,
    writer: &mut RunWriter,
    reporter: &mut dyn Reporter,
) -> Result<()> {
    let Some(lost) = training.scores.best else { return Ok(()) };
    if best_is_intact(writer.dir())? {
        return Ok(());
    }
    let instead = training.lose_best();
    let (lost, instead) = (lost.g_iteration, instead.map(|score| score.g_iteration));
    writer.event(&autogan_run::Event {
        tick: training.position().tick,
        kind: "best_lost".to_owned(),
        json: serde_json::json!({ "lost": lost, "instead": instead }).to_string(),
        seconds: writer.seconds(),
    })?;
    reporter.event(&Event::BestLost { lost, instead });
    // The weights come last: whatever a kill leaves undone before them, they are still not there and it is done again.
    writer.save(training.save()?)?;
    if let Some(scores) = training.result() {
        scores.write(&writer.dir().scores_path())?;
    }
    if instead.is_some() {
        training.averaged()?.write(&writer.dir().best_path())?;
    }
    Ok(())
}

/// Writes the `scores.json` of a finished training anew where it is gone or damaged.
fn mend_scores(training: &Training, writer: &RunWriter) -> Result<()> {
    match writer.dir().scores() {
        Ok(Some(_)) => return Ok(()),
        Ok(None) | Err(autogan_run::Error::Damaged { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    if let Some(scores) = training.result() {
        scores.write(&writer.dir().scores_path())?;
    }
    Ok(())
}

/// The rows of a unit of work.
struct Rows<'a> {
    config: &'a TrainingConfig,
    writer: &'a mut RunWriter,
    position: TrainingPosition,
    seconds: f64,
    /// A score was the best so far.
    best: bool,
}

impl Record for Rows<'_> {
    fn record(&mut self, event: &Event) -> autogan_run::Result<()> {
        match event {
            Event::Shared { step, d_steps, d_loss, g_loss, .. } => {
                let n_critic = self.config.train.n_critic;
                let (d, g) = drawn(*step, self.config.d_steps(), CURVE_POINTS, n_critic);
                if d {
                    self.scalar_at(*d_steps, "loss/d", *d_loss)?;
                }
                g_loss.filter(|_| g).map_or(Ok(()), |loss| self.scalar_at(*d_steps, "loss/g", loss))
            }
            Event::Real { score } => {
                self.scalar("score/real/is", score.is)?;
                score.frechet.map_or(Ok(()), |frechet| self.scalar("score/real/frechet", frechet))
            }
            Event::Measured { score, best, .. } => {
                self.best |= best;
                self.scalar("score/is", score.is)?;
                score.frechet.map_or(Ok(()), |frechet| self.scalar("score/frechet", frechet))
            }
            Event::Samples { tag, n, side, pixels, .. } => {
                let picture = grid(pixels, *n, *side)?;
                let stage = self.config.arch.stage() as u32;
                let place = (stage, self.position.g_iterations as u32, tag.as_str());
                self.writer.picture(&picture, self.position.tick, place, self.seconds)
            }
            Event::Trained { scores } => {
                self.writer.event(&autogan_run::Event {
                    tick: self.position.tick,
                    kind: "trained".to_owned(),
                    json: serde_json::json!({ "last": scores.last, "best": scores.best })
                        .to_string(),
                    seconds: self.seconds,
                })?;
                scores.write(&self.writer.dir().scores_path())
            }
            // The others are a search's.
            _ => Ok(()),
        }
    }
}

impl Rows<'_> {
    fn scalar(&mut self, tag: &str, value: f64) -> autogan_run::Result<()> {
        self.scalar_at(self.position.d_steps, tag, value)
    }

    fn scalar_at(&mut self, step: u64, tag: &str, value: f64) -> autogan_run::Result<()> {
        let (tick, tag, seconds) = (self.position.tick, tag.to_owned(), self.seconds);
        self.writer.scalar(&Scalar { tick, step, tag, value, seconds })
    }
}
