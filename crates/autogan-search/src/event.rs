//! Events tell what happens in a search ([`SearchEvent`]) and in a training from scratch ([`TrainingEvent`]). The library
//! only reports them; the binary prints and draws bars.

use autogan_rl::StepReport;
use autogan_run::{ArchFile, ModelScore, RealScore, ScoresFile, TrialKind};
use autogan_space::Arch;

use crate::position::ImageCount;

/// Receives events of one kind as they happen: [`SearchEvent`]s or [`TrainingEvent`]s.
pub trait Reporter<E> {
    /// Takes notice of one event.
    fn event(&mut self, event: &E);
}

/// The losses of a D step, and of the G step that followed it, if one did. They are told one step later, or when there is
/// no other step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepLosses {
    /// D steps that are done: of this iteration of a search, or of the whole training from scratch.
    pub step: u64,
    /// The number of D steps that there will be.
    pub steps: u64,
    /// D steps that were done before it, over the whole run.
    pub d_steps: u64,
    /// Hinge loss of the discriminator.
    pub d_loss: f64,
    /// Loss of the generator.
    pub g_loss: Option<f64>,
    /// Real images that the step took.
    pub images: usize,
}

/// Sample images of one architecture.
#[derive(Clone, Debug)]
pub struct SampleGrid {
    /// The name of what they show, for the file name.
    pub tag: String,
    /// The architecture.
    pub arch: Arch,
    /// Number of images.
    pub n: usize,
    /// Their side in pixels.
    pub side: usize,
    /// The pixels, `[n, 3, side, side]`.
    pub pixels: Vec<u8>,
}

/// An architecture with its score.
#[derive(Clone, Debug)]
pub struct ScoredArch {
    /// The purpose of scoring it.
    pub kind: TrialKind,
    /// Its number among those of its kind in this iteration, from 0.
    pub step: u64,
    /// The architecture.
    pub arch: Arch,
    /// Its score.
    pub score: f64,
    /// Standard deviation of the score over the splits.
    pub spread: f64,
    /// The number by which it is ranked and learnt from: the score, less what its cost takes from it.
    pub reward: f64,
    /// Mean entropy of the policy's tokens in nats, where the controller drew it.
    pub entropy: Option<f64>,
    /// The weight that the policy gradient gave it, where the controller learnt from it; in standard deviations of the
    /// iteration's rewards where they are standardised.
    pub advantage: Option<f64>,
    /// The baseline that was subtracted to get the advantage.
    pub baseline: Option<f64>,
    /// Seconds that scoring took.
    pub seconds: f64,
}

/// Something that happened in a search.
#[derive(Clone, Debug)]
pub enum SearchEvent {
    /// A stage begins.
    Stage {
        /// The stage, from 0.
        stage: usize,
        /// Side of its images in pixels.
        side: usize,
        /// First iteration of the stage, from 0, and the first one after it.
        iterations: (usize, usize),
        /// Score of as many real images at this side as a child is scored on.
        real: f64,
    },
    /// An iteration begins.
    Iteration {
        /// The iteration, from 0.
        iteration: usize,
        /// D steps of its shared training.
        shared_steps: u64,
        /// Training steps of its controller.
        controller_steps: u64,
    },
    /// A D step of shared training, with the G step that followed it, if one did.
    Step(StepLosses),
    /// The losses stand still: shared training of this iteration ends here, and the weights will start over.
    Reset {
        /// D steps of this iteration that were done.
        step: u64,
        /// Spread of the generator's losses over the window.
        g_spread: f64,
        /// Spread of the discriminator's losses.
        d_spread: f64,
    },
    /// An architecture was scored.
    Scored(ScoredArch),
    /// A training step of the controller.
    Controller {
        /// Training steps of the controller in this iteration that are done.
        step: u64,
        /// The numbers of this training step.
        report: StepReport,
    },
    /// A step of a random search, in place of a training step of the controller.
    Drawn {
        /// Steps of this iteration that are done.
        step: u64,
        /// The mean of the rewards.
        mean_reward: f64,
    },
    /// The images that the search took so far, at the end of an iteration and of the derivation.
    Images {
        /// The counts, by purpose.
        so_far: ImageCount,
    },
    /// The policy at the end of an iteration: token name, choice name, probability, averaged over the beam.
    Policy {
        /// One entry for each choice of each token.
        probabilities: Vec<(String, String, f64)>,
    },
    /// Sample images of one architecture.
    Samples(SampleGrid),
    /// The candidates that go on to the next stage, the best first.
    Beam {
        /// The stage that ends.
        stage: usize,
        /// Architecture and reward: the score, less what its cost takes from it.
        entries: Vec<(Arch, f64)>,
    },
    /// The search is over: the best architectures, and what they are to be read against.
    Found(Box<ArchFile>),
}

/// Something that happened in a training from scratch.
#[derive(Clone, Debug)]
pub enum TrainingEvent {
    /// A D step, with the G step that followed it, if one did.
    Step(StepLosses),
    /// Sample images of the averaged generator.
    Samples(SampleGrid),
    /// The training images were scored.
    Real {
        /// Their score.
        score: RealScore,
    },
    /// The averaged generator was scored.
    Measured {
        /// Its values by every score that is taken.
        score: ModelScore,
        /// Whether it is the best so far.
        best: bool,
        /// Seconds that scoring took.
        seconds: f64,
    },
    /// The best weights of a training that goes on are gone or damaged.
    BestLost {
        /// G iterations after which they were scored.
        lost: u64,
        /// G iterations of the weights that take their place: those of the checkpoint, where they were scored, which may be
        /// the lost ones again. Without them the next score is the best so far.
        instead: Option<u64>,
    },
    /// The training is over: what it came to.
    Trained(Box<ScoresFile>),
}

/// A reporter that listens to nothing.
pub struct Silent;

impl<E> Reporter<E> for Silent {
    fn event(&mut self, _event: &E) {}
}
