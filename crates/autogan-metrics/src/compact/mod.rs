//! The compact classifier is a small convolutional network that this project has trained. It takes the place of
//! Inception-v3 in rewards: it is fast and needs no network access.
//!
//! Scores made with it carry its name (`compact-shapes`, `compact-cifar10`); they are not the
//! published Inception Score or FID. How the weights were trained is written in
//! `models/scorers/README.md`.

mod input;
mod network;
mod variables;

pub use input::{INPUT_CHANNELS, SIDE, network_input};
pub use network::{BN_EPS, CompactClassifier};
pub use variables::{ConvVars, Variables};

/// Names of the classifiers whose weights are embedded.
pub const EMBEDDED: [&str; 2] = ["compact-shapes", "compact-cifar10"];
