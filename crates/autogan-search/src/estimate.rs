//! An estimate says what a search costs: the multiply-accumulates of its steps, and the time that they take on this
//! machine, whose speed is measured.

use std::time::{Duration, Instant};

use autogan_metrics::FeatureExtractor;
use autogan_ops::conv2d;
use autogan_space::{discriminator_cost, supernet_cost};
use candle_core::{DType, Device, Tensor, Var};

use crate::config::{ModelConfig, SearchConfig, TrainConfig};
use crate::error::Result;
use crate::position::{Phase, Position};

/// Mean MACs of a D step with its share of a G step, where an image costs `g` in the generator and `d` in the
/// discriminator.
///
/// A backward pass costs two forward ones; frozen weights save one of them.
pub(crate) fn step_macs(t: &TrainConfig, g: f64, d: f64) -> f64 {
    let d_step = t.d_batch as f64 * (g + 2.0 * 3.0 * d);
    let g_step = t.g_batch as f64 * (3.0 * g + 2.0 * d);
    d_step + g_step / t.n_critic as f64
}

/// The cost of one stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StageCost {
    /// The stage, from 0.
    pub stage: usize,
    /// Side of its images.
    pub side: usize,
    /// Search iterations.
    pub iterations: u64,
    /// D steps of an iteration.
    pub shared_steps: u64,
    /// Mean MACs of a D step, with its share of a G step; forward and backward, plain form.
    pub shared_macs: f64,
    /// Controller steps of an iteration.
    pub controller_steps: u64,
    /// Children that are scored in an iteration.
    pub children: u64,
    /// Children that are ranked when the stage ends.
    pub ranked: u64,
    /// Units of work in which they are ranked.
    pub ranking_steps: u64,
    /// MACs of generating the images of one child, recalibration included.
    pub child_macs: f64,
    /// Images that the extractor sees for one child.
    pub child_images: u64,
}

/// The cost of a whole search.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The cost of each stage.
    pub stages: Vec<StageCost>,
}

/// The speed of this machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Multiply-accumulates per second in the networks.
    pub macs_per_s: f64,
    /// Images per second through the extractor; `None` when there is none to measure.
    pub scored_per_s: Option<f64>,
}

impl Estimate {
    /// The cost of `config` on a dataset of `images` images.
    pub fn new(config: &SearchConfig, images: usize) -> Self {
        let shape = config.model.shape();
        let plan = &config.search;
        let bounds = [0, plan.grow_at[0], plan.grow_at[1], plan.iterations];
        let (r, c, d) = (&config.reward, &config.controller, &config.derive);
        let stage = |stage: usize| {
            let g = supernet_cost(stage, &shape).macs as f64;
            let disc = discriminator_cost(stage, config.model.df, config.model.bottom).macs as f64;
            let calibration = r.recalibrate_batches * r.recalibrate_batch;
            let last = stage == 2;
            // A single level has no other stage.
            let grows = bounds[stage + 1] > bounds[stage];
            let candidates = if grows { plan.candidates } else { 0 };
            // The final comparison scores more images: counted in children of the usual size.
            let more = (d.top_k + d.random + d.drawn + 1) * d.images / r.images.max(1);
            StageCost {
                stage,
                side: config.model.bottom << (stage + 1),
                iterations: (bounds[stage + 1] - bounds[stage]) as u64,
                shared_steps: (plan.shared_epochs * images.div_ceil(config.train.d_batch)) as u64,
                shared_macs: step_macs(&config.train, g, disc),
                controller_steps: c.steps as u64,
                children: (c.steps * c.children) as u64,
                ranked: if last { d.candidates + more } else { candidates } as u64,
                ranking_steps: if last {
                    // Besides the children: real images, the untrained generator, the sample grid.
                    d.candidates + d.top_k + d.random + d.drawn + 3
                } else {
                    candidates
                } as u64,
                child_macs: (r.images + calibration) as f64 * g,
                child_images: r.images as u64,
            }
        };
        Self { stages: (0..3).map(stage).collect() }
    }

    /// Time for shared training.
    pub fn training(&self, speed: Speed) -> Duration {
        let macs: f64 = self
            .stages
            .iter()
            .map(|s| (s.iterations * s.shared_steps) as f64 * s.shared_macs)
            .sum();
        speed.computing(macs)
    }

    /// Time for generating the images that are scored.
    pub fn generating(&self, speed: Speed) -> Duration {
        speed.computing(self.stages.iter().map(|s| s.scored() as f64 * s.child_macs).sum())
    }

    /// Images that the extractor sees.
    pub fn scored(&self) -> u64 {
        self.stages.iter().map(|s| s.scored() * s.child_images).sum()
    }

    /// The part of the work that is done at `position`, from 0 to 1, by multiply-accumulates.
    pub fn done(&self, position: Position) -> f64 {
        let mut total = 0.0;
        let mut done = 0.0;
        let mut first = 0;
        for s in &self.stages {
            let shared = s.shared_steps as f64 * s.shared_macs;
            let policy = s.children as f64 * s.child_macs;
            let ranking = s.ranked as f64 * s.child_macs;
            total += s.iterations as f64 * (shared + policy) + ranking;
            if s.stage < position.stage {
                done = total;
            } else if s.stage == position.stage {
                done += (position.iteration as f64 - first as f64) * (shared + policy);
                let ranked = ranking * position.step as f64 / s.ranking_steps.max(1) as f64;
                done += match position.phase {
                    Phase::Begin => 0.0,
                    Phase::Derive => ranked,
                    Phase::Shared => position.step as f64 * s.shared_macs,
                    Phase::Controller => {
                        shared + policy * position.step as f64 / s.controller_steps.max(1) as f64
                    }
                    Phase::End => shared + policy + ranked,
                    Phase::Done => ranking,
                };
            }
            first += s.iterations;
        }
        (done / total).clamp(0.0, 1.0)
    }
}

impl StageCost {
    /// Children that the stage scores.
    pub fn scored(&self) -> u64 {
        self.iterations * self.children + self.ranked
    }
}

impl Speed {
    /// Measures `device` for about half a second: convolutions of the configured width, forward and backward, and the
    /// extractor, if there is one, on batches of `batch` images.
    ///
    /// # Errors
    /// When an operator fails.
    pub fn measure(
        model: &ModelConfig,
        batch: usize,
        extractor: Option<&dyn FeatureExtractor>,
        device: &Device,
    ) -> Result<Self> {
        let (width, side, n) = (model.gf, model.bottom * 4, 32);
        let x = Var::zeros((n, width, side, side), DType::F32, device)?;
        let w = Var::zeros((width, width, 3, 3), DType::F32, device)?;
        let macs = 3.0 * (n * side * side * 9 * width * width) as f64;
        let macs_per_s = rate(macs, || {
            conv2d(&x, &w, None)?.sum_all()?.backward()?;
            // A GPU is asked whether it is done.
            Ok(device.synchronize()?)
        })?;
        let scored_per_s = match extractor {
            None => None,
            Some(extractor) => {
                let side = model.bottom * 8;
                let images = Tensor::zeros((batch, 3, side, side), DType::U8, &Device::Cpu)?;
                Some(rate(batch as f64, || {
                    extractor.extract(&images)?;
                    Ok(device.synchronize()?)
                })?)
            }
        };
        Ok(Self { macs_per_s, scored_per_s })
    }

    /// Time for `macs` multiply-accumulates.
    pub fn computing(&self, macs: f64) -> Duration {
        seconds(macs / self.macs_per_s)
    }

    /// Time for `images` images in the extractor, where its speed is known.
    pub fn scoring(&self, images: u64) -> Option<Duration> {
        self.scored_per_s.map(|rate| seconds(images as f64 / rate))
    }
}

/// Units per second of work that does `units` each time.
fn rate(units: f64, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let begun = Instant::now();
    let mut rounds = 0.0;
    while begun.elapsed() < Duration::from_millis(250) {
        work()?;
        rounds += 1.0;
    }
    Ok(rounds * units / begun.elapsed().as_secs_f64())
}

fn seconds(s: f64) -> Duration {
    Duration::try_from_secs_f64(s).unwrap_or(Duration::MAX)
}
