//! [`Training`] is the state of a training from scratch; it walks through training steps, scores and sample grids.
//!
//! It is a state machine like the search: `advance` does one unit of work, and what it draws at random follows from
//! seed and position alone, so a training that is saved between two units and continued later ends in the same bits.

use std::sync::Arc;
use std::time::Instant;

use autogan_config::{ConfigError, LrDecay, TrainingConfig, TrainingPrecision};
use autogan_metrics::FeatureExtractor;
use autogan_nn::NormMode;
use autogan_ops::{Precision, computing_in};
use autogan_run::{ModelScore, RealScore, ScoresFile};
use autogan_space::derived_generator_cost;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::known::KnownReals;
use super::measure::{Reals, protocol, score_generator, score_reals};
use crate::error::Result;
use crate::event::{Reporter, SampleGrid, TrainingEvent};
use crate::images::{StageImages, to_u8};
use crate::losses::{ComingLosses, StepPlace};
use crate::networks::Networks;
use crate::step::Step;
use crate::streams::Streams;

/// Images of a sample grid.
const GRID: usize = 64;

/// The next work of a training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainingPhase {
    /// A D step, and the G step of a G iteration that begins with it.
    #[default]
    Train,
    /// A score of the averaged generator.
    Score,
    /// A grid of its sample images.
    Samples,
    /// Nothing is left to do.
    Done,
}

/// The position of a training; the default is its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingPosition {
    /// Units of work done; it only grows.
    pub tick: u64,
    /// The work that is next.
    pub phase: TrainingPhase,
    /// G iterations that are complete.
    pub g_iterations: u64,
    /// D steps that are done.
    pub d_steps: u64,
    /// Real images that they took.
    pub images_seen: u64,
}

/// The training of one architecture, in progress.
pub struct Training {
    pub(super) config: TrainingConfig,
    pub(super) streams: Streams,
    pub(super) device: Device,
    pub(super) images: StageImages,
    pub(super) extractor: Arc<dyn FeatureExtractor>,
    /// The scores that earlier trainings took of the same images.
    pub(super) known: KnownReals,
    /// The scores and statistics of the training images, once they are needed.
    pub(super) reals: Option<Arc<Reals>>,
    pub(super) networks: Networks,
    pub(super) position: TrainingPosition,
    pub(super) scores: Scores,
    /// The losses of the last step, while it goes on.
    pub(super) losses: Option<ComingLosses>,
}

/// The scores so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scores {
    pub real: Option<RealScore>,
    pub last: Option<ModelScore>,
    pub best: Option<ModelScore>,
}

impl Training {
    /// The position of the training.
    pub fn position(&self) -> TrainingPosition {
        self.position
    }

    /// Scores this training against images whose scores and statistics are known.
    pub(crate) fn know(&mut self, reals: &Arc<Reals>) {
        self.scores.real = Some(reals.score);
        self.reals = Some(Arc::clone(reals));
    }

    /// The last score.
    pub(crate) fn last_score(&self) -> Option<ModelScore> {
        self.scores.last
    }

    /// The Fréchet distance of the averaged generator as it is now; not a number without one.
    pub(crate) fn score_now(&mut self, reporter: &mut dyn Reporter<TrainingEvent>) -> Result<f64> {
        self.score(reporter)?;
        Ok(self.scores.last.and_then(|score| score.frechet).unwrap_or(f64::NAN))
    }

    /// Forgets the best score, whose weights are lost; the present weights take its place where they are those of the
    /// last score. Gives what takes its place.
    pub(super) fn lose_best(&mut self) -> Option<ModelScore> {
        let p = self.position;
        // Within a G iteration the average is a step further.
        let whole = p.d_steps == p.g_iterations * self.config.train.n_critic as u64;
        let present = |last: &ModelScore| whole && last.g_iteration == p.g_iterations;
        self.scores.best = self.scores.last.filter(present);
        self.scores.best
    }

    /// The result of the training, once it is over.
    pub fn result(&self) -> Option<ScoresFile> {
        let Scores { real: Some(real), last: Some(last), best: Some(best) } = self.scores else {
            return None;
        };
        let (c, p) = (&self.config, self.position);
        let cost = derived_generator_cost(&c.arch, &c.model.shape());
        (p.phase == TrainingPhase::Done).then(|| ScoresFile {
            arch: c.arch.clone(),
            named: c.arch.named(),
            seed: c.seed,
            preset: c.preset.clone(),
            dataset: c.data.dataset.clone(),
            scorer: c.score.scorer.clone(),
            protocol: protocol(&c.score, self.images.len()),
            params: cost.params,
            macs: cost.macs,
            g_iterations: p.g_iterations,
            images_seen: p.images_seen,
            last,
            best,
            real,
        })
    }

    /// Takes a D step; the G step follows the first of each group.
    pub(super) fn train(&mut self, reporter: &mut dyn Reporter<TrainingEvent>) -> Result<()> {
        self.set_learning_rates();
        let n_critic = self.config.train.n_critic as u64;
        let real = self.images.batch(self.position.d_steps, &self.device)?;
        let images = real.dim(0)?;
        let TrainingPosition { d_steps, g_iterations, .. } = self.position;
        let (arch, train) = (&self.config.arch, &self.config.train);
        // The position of the latents does not depend on how often the generator was scored in between.
        let (streams, index) = (self.streams, d_steps);
        let at =
            Step { train, stage: arch.stage(), iteration: g_iterations as usize, streams, index };
        let precision = precision_of_operators(self.config.precision);
        let d_loss = computing_in(precision, || self.networks.d_step(&at, arch, &real))?;
        let mut g_loss = None;
        if d_steps.is_multiple_of(n_critic) {
            g_loss = Some(computing_in(precision, || self.networks.g_step(&at, arch))?);
        }
        let place = StepPlace { step: d_steps + 1, d_steps, images };
        self.position.d_steps += 1;
        self.position.images_seen += images as u64;
        let before = self.losses.replace(ComingLosses::new(place, d_loss, g_loss));
        self.read_losses(before, reporter)?;
        if place.step.is_multiple_of(n_critic) {
            self.position.g_iterations += 1;
            let scored = self.is_due(self.config.schedule.score_every);
            self.position.phase = if scored { TrainingPhase::Score } else { self.after_score() };
        }
        if self.position.phase != TrainingPhase::Train {
            let last = self.losses.take();
            self.read_losses(last, reporter)?;
        }
        Ok(())
    }

    /// Passes on the losses of a step, where there was one.
    fn read_losses(
        &self,
        losses: Option<ComingLosses>,
        reporter: &mut dyn Reporter<TrainingEvent>,
    ) -> Result<()> {
        if let Some(losses) = losses {
            let told = losses.read()?.told(self.config.d_steps());
            reporter.event(&TrainingEvent::Step(told));
        }
        Ok(())
    }

    /// Whether something that happens every so many G iterations, and at the end, happens now.
    fn is_due(&self, every: u64) -> bool {
        let done = self.position.g_iterations;
        (every > 0 && done.is_multiple_of(every)) || self.is_over()
    }

    /// Whether the last G iteration is complete.
    pub(super) fn is_over(&self) -> bool {
        self.position.g_iterations >= self.config.schedule.g_iterations
    }

    fn after_score(&self) -> TrainingPhase {
        if self.is_due(self.config.schedule.samples_every) {
            TrainingPhase::Samples
        } else {
            TrainingPhase::Train
        }
    }

    /// Scores the averaged generator, always on the same latents.
    pub(super) fn score(&mut self, reporter: &mut dyn Reporter<TrainingEvent>) -> Result<()> {
        let begun = Instant::now();
        if self.scores.real.is_none() || (self.config.score.fid && self.reals.is_none()) {
            let reals = self.known.get_or(&self.config, self.images.len(), || {
                let (config, seed) = (&self.config.score, self.config.seed);
                score_reals(&self.images, &*self.extractor, config, seed)
            })?;
            if self.scores.real.is_none() {
                reporter.event(&TrainingEvent::Real { score: reals.score });
            }
            self.scores.real = Some(reals.score);
            self.reals = Some(reals);
        }
        let z = self.fixed_latents("latents.score", self.config.score.images)?;
        let (is, frechet) = score_generator(
            self.networks.ema.generator(),
            &self.config.arch,
            &z,
            &*self.extractor,
            &self.config.score,
            self.reals.as_ref().and_then(|reals| reals.reference.as_ref()),
        )?;
        let score = ModelScore {
            g_iteration: self.position.g_iterations,
            images_seen: self.position.images_seen,
            is: is.mean,
            is_std: is.std,
            frechet,
        };
        let best = self.scores.best.is_none_or(|best| score.is_better_than(&best));
        if best {
            self.scores.best = Some(score);
        }
        self.scores.last = Some(score);
        let seconds = begun.elapsed().as_secs_f64();
        reporter.event(&TrainingEvent::Measured { score, best, seconds });
        self.position.phase = self.after_score();
        Ok(())
    }

    /// Shows a grid of images of the averaged generator, always of the same latents.
    pub(super) fn samples(&mut self, reporter: &mut dyn Reporter<TrainingEvent>) -> Result<()> {
        let z = self.fixed_latents("latents.samples", GRID)?;
        let arch = self.config.arch.clone();
        let images = self.networks.ema.generator().forward_frozen(&z, &arch, NormMode::Running)?;
        let side = images.dim(3)?;
        let pixels = to_u8(&images)?.flatten_all()?.to_vec1::<u8>()?;
        let tag = "train".to_owned();
        let grid = SampleGrid { tag, arch, n: GRID, side, pixels };
        reporter.event(&TrainingEvent::Samples(grid));
        self.position.phase =
            if self.is_over() { TrainingPhase::Done } else { TrainingPhase::Train };
        if let Some(scores) = self.result() {
            reporter.event(&TrainingEvent::Trained(Box::new(scores)));
        }
        Ok(())
    }

    /// Latents `[n, latent]` that stay the same.
    fn fixed_latents(&self, stream: &str, n: usize) -> Result<Tensor> {
        self.streams.latents(stream, 0, (n, self.config.model.latent), &self.device)
    }

    fn set_learning_rates(&mut self) {
        let left = match self.config.train.lr_decay {
            LrDecay::Constant => 1.0,
            LrDecay::Linear => left(self.position.g_iterations, self.config.schedule.g_iterations),
        };
        self.networks.set_learning_rates(&self.config.train, left);
    }
}

/// The same precision, as operators name it.
fn precision_of_operators(precision: TrainingPrecision) -> Precision {
    match precision {
        TrainingPrecision::F32 => Precision::F32,
        TrainingPrecision::Tf32 => Precision::Tf32,
        TrainingPrecision::Bf16 => Precision::Bf16,
    }
}

/// Whether a training on `device` can compute in `precision`, before its first step.
pub(super) fn check_precision(precision: TrainingPrecision, device: &Device) -> Result<()> {
    if precision != TrainingPrecision::Tf32 || device.is_cuda() {
        return Ok(());
    }
    let expected = "f32 or bf16 on the CPU: TF32 is a GPU's, by cuDNN";
    Err(ConfigError::value("precision", expected, "tf32").into())
}

/// The part of the step size that a linear decay leaves in G iteration `at` (from 0) of `all`: 1 in the first, 0 in the
/// last.
fn left(at: u64, all: u64) -> f64 {
    match all {
        0 | 1 => 1.0,
        _ => 1.0 - at as f64 / (all - 1) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::left;

    #[test]
    fn a_linear_decay_reaches_its_end_in_the_last_iteration() {
        let all: Vec<f64> = (0..5).map(|at| left(at, 5)).collect();
        assert_eq!(all, [1.0, 0.75, 0.5, 0.25, 0.0]);
        assert_eq!(left(0, 1), 1.0);
    }
}
