//! A search in its run directory: events become rows and pictures, checkpoints are written, stopping is clean.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use autogan_run::{ArchFile, Protocol, RunWriter, Scalar, Trial};
use autogan_space::derived_generator_cost;

use crate::config::{RewardMetric, SearchConfig};
use crate::error::{Result, SearchError};
use crate::event::{Event, Reporter};
use crate::parts::generator_config;
use crate::record::{Record, Recorder, drawn, grid};
use crate::search::{Phase, Position, Search};

/// Points of a loss curve that are stored for each iteration.
const CURVE_POINTS: u64 = 100;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is done.
    Finished,
    /// It was asked to stop, and can be continued.
    Stopped,
}

/// How a run is carried out; nothing in here changes its result.
pub struct RunOptions<'a> {
    /// Time between checkpoints; one is written anyway at the end of a search's iteration and after a training's score.
    pub checkpoint_every: Duration,
    /// Set by whoever wants the run to stop after the present unit of work.
    pub stop: &'a AtomicBool,
}

/// How a run went.
#[derive(Clone, Copy, Debug)]
pub struct Ran {
    /// How it ended.
    pub outcome: Outcome,
    /// Time in this process from the first unit of work to the last.
    pub elapsed: Duration,
    /// The part of it that the run directory took: rows, curves, pictures and checkpoints.
    pub recording: Duration,
}

/// Advances the search to its end, or until it is asked to stop, keeping its run directory in step.
///
/// # Errors
/// When the search fails or the directory cannot be written; the last checkpoint is intact then.
pub fn run(
    search: &mut Search,
    writer: &mut RunWriter,
    reporter: &mut dyn Reporter,
    options: &RunOptions<'_>,
) -> Result<Ran> {
    let begun = Instant::now();
    let (mut saved, mut recording) = (begun, Duration::ZERO);
    let config = search.config().clone();
    let outcome = loop {
        let before = search.position();
        let rows = Rows {
            config: &config,
            seconds: writer.seconds(),
            writer: &mut *writer,
            position: before,
            shared_steps: search.shared_steps(),
        };
        let mut recorder = Recorder::new(rows, reporter);
        let advanced = search.advance(&mut recorder);
        recording += recorder.finish()?.1;
        let more = advanced.or_else(|error| diverged(error, writer, before.tick))?;
        if !more {
            mend_arch(search, writer, before)?;
            break Outcome::Finished;
        }
        let after = search.position();
        let stop = options.stop.load(Ordering::Relaxed);
        let milestone = after.iteration != before.iteration || after.phase == Phase::Done;
        if milestone || stop || saved.elapsed() >= options.checkpoint_every {
            let at = Instant::now();
            let checkpoint = search.save().or_else(|error| diverged(error, writer, after.tick))?;
            writer.save(checkpoint)?;
            saved = Instant::now();
            recording += saved - at;
        }
        if stop && after.phase != Phase::Done {
            break Outcome::Stopped;
        }
    };
    let ran = Ran { outcome, elapsed: begun.elapsed(), recording };
    ran.note(writer, search.position().tick)?;
    Ok(ran)
}

impl Ran {
    /// Notes in the run directory how this session ended.
    pub(crate) fn note(self, writer: &mut RunWriter, tick: u64) -> Result<()> {
        let how = match self.outcome {
            Outcome::Finished => "finished",
            Outcome::Stopped => "stopped",
        };
        let json = serde_json::json!({
            "outcome": how,
            "elapsed_seconds": self.elapsed.as_secs_f64(),
            "recording_seconds": self.recording.as_secs_f64(),
        });
        Ok(writer.session("end", json.to_string(), tick)?)
    }
}

/// Notes in the run directory that the networks diverged, where that is the error: whoever resumes the run would come to
/// the same end.
pub(crate) fn diverged<T>(error: SearchError, writer: &mut RunWriter, tick: u64) -> Result<T> {
    if matches!(error, SearchError::Diverged { .. }) {
        let json = serde_json::json!({ "outcome": "diverged", "reason": error.to_string() });
        writer.session("end", json.to_string(), tick)?;
    }
    Err(error)
}

/// Writes the `arch.json` of a finished search anew where it is gone or damaged.
fn mend_arch(search: &Search, writer: &RunWriter, position: Position) -> Result<()> {
    match writer.dir().arch() {
        Ok(Some(_)) => return Ok(()),
        Ok(None) | Err(autogan_run::Error::Damaged { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    if let Some(Event::Found { top, score }) = search.found() {
        writer.write_arch(&arch_file(search.config(), position, &top, &score))?;
    }
    Ok(())
}

/// The rows of a unit of work.
struct Rows<'a> {
    config: &'a SearchConfig,
    writer: &'a mut RunWriter,
    position: Position,
    shared_steps: u64,
    seconds: f64,
}

impl Record for Rows<'_> {
    fn record(&mut self, event: &Event) -> autogan_run::Result<()> {
        match event {
            Event::Stage { stage, real, .. } => {
                self.scalar(&format!("score/real/stage{stage}"), *real)
            }
            Event::Iteration { .. } => Ok(()),
            Event::Shared { step, d_steps, d_loss, g_loss, .. } => {
                let n_critic = self.config.train.n_critic;
                let (d, g) = drawn(*step, self.shared_steps, CURVE_POINTS, n_critic);
                if d {
                    self.scalar_at(*d_steps, "loss/d", *d_loss)?;
                }
                g_loss.filter(|_| g).map_or(Ok(()), |loss| self.scalar_at(*d_steps, "loss/g", loss))
            }
            Event::Reset { step, g_spread, d_spread } => self.event_row(
                "reset",
                serde_json::json!({ "step": step, "g_spread": g_spread, "d_spread": d_spread }),
            ),
            Event::Scored { .. } => self.trial(event),
            Event::Controller { report, .. } => {
                self.scalar("controller/reward", report.mean_reward)?;
                self.scalar("controller/baseline", report.baseline)?;
                self.scalar("controller/entropy", report.mean_entropy)?;
                self.scalar("controller/loss", report.loss)
            }
            Event::Drawn { mean_reward, .. } => self.scalar("controller/reward", *mean_reward),
            Event::Images { so_far } => {
                self.scalar("images/real", so_far.real as f64)?;
                self.scalar("images/fake", so_far.fake as f64)?;
                self.scalar("images/scored", so_far.scored as f64)
            }
            Event::Policy { probabilities } => {
                for (token, choice, p) in probabilities {
                    self.scalar(&format!("policy/{token}/{choice}"), *p)?;
                }
                Ok(())
            }
            Event::Samples { tag, n, side, pixels, .. } => {
                let picture = grid(pixels, *n, *side)?;
                let place =
                    (self.position.stage as u32, self.position.iteration as u32, tag.as_str());
                self.writer.picture(&picture, self.position.tick, place, self.seconds)
            }
            Event::Beam { stage, entries } => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(arch, reward)| serde_json::json!({ "arch": arch, "reward": reward }))
                    .collect();
                self.event_row("beam", serde_json::json!({ "stage": stage, "entries": entries }))
            }
            Event::Found { top, score } => {
                self.event_row("found", serde_json::json!({ "score": score }))?;
                self.writer.write_arch(&arch_file(self.config, self.position, top, score))
            }
            // Of a training from scratch.
            Event::Real { .. }
            | Event::Measured { .. }
            | Event::BestLost { .. }
            | Event::Trained { .. } => Ok(()),
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

    fn event_row(&mut self, kind: &str, json: serde_json::Value) -> autogan_run::Result<()> {
        self.writer.event(&autogan_run::Event {
            tick: self.position.tick,
            kind: kind.to_owned(),
            json: json.to_string(),
            seconds: self.seconds,
        })
    }

    fn trial(&mut self, event: &Event) -> autogan_run::Result<()> {
        let Event::Scored {
            kind,
            step,
            arch,
            score,
            spread,
            reward,
            entropy,
            advantage,
            baseline,
            seconds,
        } = event
        else {
            return Ok(());
        };
        let cost = derived_generator_cost(arch, &generator_config(self.config).shape());
        let trial = Trial {
            tick: self.position.tick,
            kind: *kind,
            stage: arch.stage() as u32,
            iteration: self.position.iteration as u32,
            step: *step as u32,
            arch: arch.clone(),
            named: arch.named(),
            score: *score,
            spread: *spread,
            entropy: *entropy,
            advantage: *advantage,
            baseline: *baseline,
            params: cost.params,
            macs: cost.macs,
            seconds: *seconds,
            reward: Some(*reward),
        };
        self.writer.trial(&trial).map(drop)
    }
}

/// The content of `arch.json`.
fn arch_file(
    c: &SearchConfig,
    position: Position,
    top: &[autogan_run::FoundArch],
    score: &autogan_run::Score,
) -> ArchFile {
    let how = protocol(c, c.derive.images);
    ArchFile {
        dataset: c.data.dataset.clone(),
        scorer: c.reward.scorer.clone(),
        preset: c.preset.clone(),
        seed: c.seed,
        stage: position.stage as u32,
        // The rewards in here are those of the final derivation, on as many images as the other scores.
        protocol: Protocol { reward: how.clone(), score: how },
        score: Some(*score),
        top: top.to_vec(),
    }
}

/// The metric's short name; the Fréchet distance is called FID with Inception alone.
pub fn metric_name(config: &SearchConfig) -> &'static str {
    match config.reward.metric {
        RewardMetric::Is => "is",
        RewardMetric::InverseFid if config.reward.scorer == "inception" => "inverse_fid",
        RewardMetric::InverseFid => "inverse_frechet",
    }
}

/// The name of a score that says how it was taken, such as `is_compact-shapes_256_2splits`.
fn protocol(config: &SearchConfig, images: usize) -> String {
    let (metric, scorer) = (metric_name(config), &config.reward.scorer);
    let splits = match config.reward.metric {
        RewardMetric::Is => format!("_{}splits", config.reward.splits),
        RewardMetric::InverseFid => String::new(),
    };
    format!("{metric}_{scorer}_{images}{splits}")
}
