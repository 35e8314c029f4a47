//! Statistics of the table: noise, reliability, how well short trainings stand for long ones, and what the tokens
//! explain.
//!
//! All are plain functions in `f64`. Those that every crate may need (means, quantiles, rank correlations) are in
//! `autogan-stats`.

mod bootstrap;
mod effects;
mod fidelity;
mod ranking;
mod sample;
mod variance;

pub use bootstrap::bootstrap;
pub use effects::{Fit, Model, fit, tokens};
pub use fidelity::{Fidelity, Part, Seeds, fidelity};
pub use ranking::{Ranked, ranking};
pub use sample::{Measure, Sample, samples};
pub use variance::{Components, pooled_variance};
