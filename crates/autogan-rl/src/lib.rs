//! This crate holds the AutoGAN controller: an LSTM that draws architectures, and the REINFORCE step that teaches it.
//!
//! It follows sections 3.2 and 3.3 of the paper (Gong et al., *AutoGAN*, ICCV 2019, arXiv 1908.03835). These are its
//! pieces, in the order in which a search uses them:
//!
//! - [`ActionSpace`] says which decisions are taken: those of one cell (MLAS) or of all cells (SLAS).
//! - [`Controller`] draws them from start states that an earlier stage's [`Beam`] hands over
//!   ([`RuledController::sample`], [`RuledController::sample_distinct`], [`RuledController::greedy`]).
//! - [`ChoiceRule`] says which choices may follow, such as what a budget leaves ([`BudgetRule`]) or any at all
//!   ([`AnyChoice`]), also without what was drawn before ([`ExceptRule`]); [`Controller::within`] draws no others.
//! - [`Reward`] is what the caller implements: it takes an architecture and returns its score.
//! - [`Reinforce`] turns rewards into a loss with a moving-average [`Baseline`]; the losses themselves are pure
//!   functions ([`advantage_loss`], [`entropy_in_reward_loss`], [`released_loss`]).
//! - [`RewardScale`] standardises rewards among those of their iteration.
//! - [`PolicyTrainer`] adds Adam and is the whole policy-gradient step.
//! - [`STRATEGIES`] offers controller and trainer as strategies of `autogan-strategies`.
//!
//! The crate knows no generator, no image and no metric: rewards come in through the trait. Random draws come
//! from the generator that the caller passes, on the host, so they are the same on every device.

mod actions;
mod baseline;
mod beam;
mod controller;
mod distinct;
mod error;
mod except;
mod listed;
mod loss;
mod lstm;
mod params;
mod reinforce;
mod reward;
mod rollout;
mod rule;
mod ruled;
mod scale;
mod spread;
mod strategy;
mod trainer;

pub use actions::ActionSpace;
pub use autogan_config::{BaselineOrder, EntropyUnit, FirstInput, PolicyLoss};
pub use baseline::Baseline;
pub use beam::{Beam, Candidate};
pub use controller::{Controller, ControllerConfig};
pub use distinct::Draw;
pub use error::{Result, RlError};
pub use except::ExceptRule;
pub use loss::{ReleasedStep, advantage_loss, entropy_in_reward_loss, released_loss};
pub use reinforce::{PolicyStep, Reinforce};
pub use reward::{Reward, RewardValue};
pub use rollout::{PreviousToken, Rollout, StartState};
pub use rule::{AnyChoice, BudgetRule, ChoiceRule};
pub use ruled::RuledController;
pub use scale::RewardScale;
pub use spread::RewardSpread;
pub use strategy::{LstmStrategy, STRATEGIES};
pub use trainer::{PolicyTrainer, StepReport};
