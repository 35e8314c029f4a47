//! This crate makes the paper's tables and figures (Gong et al., *AutoGAN*, ICCV 2019): it runs what is behind them,
//! and makes pages of what the runs hold.
//!
//! An [`Item`] is a list of [`Job`]s and a page. A job is a search or a training from scratch in a run directory of its
//! own; items share jobs, and a job that is finished is not run again. [`Runner`] carries jobs out, [`pages`] writes
//! what they came to: tables, plots and their numbers, beside what the paper says.
//!
//! [`Scale`] says how large all of it is, [`Files`] where datasets and weights lie. The crate does not print: it tells a
//! [`Monitor`] what happens.

mod claim;
mod error;
mod estimate;
mod item;
mod job;
mod monitor;
pub mod pages;
mod plan;
mod resolve;
mod results;
mod runner;
mod scale;
mod source;
mod table;
mod threads;

pub use claim::{
    Arm, ClaimMaker, Contrast, Finished, JUDGED, LEAST, LEVEL, PICKED, Prices, ROUNDS, Round,
    RoundFile, Row, Rules, Verdict, verdict,
};
pub use error::{ReproError, Result};
pub use estimate::{Estimates, estimates};
pub use item::Item;
pub use job::{ArchSource, Job, Length, Method, Work};
pub use monitor::{Failure, JobEvent, Monitor, Notice};
pub use plan::{Scope, jobs};
pub use resolve::{search_config, training_config};
pub use results::{Results, SearchResult, StepReward, TrainingResult};
pub use runner::{Progress, Runner};
pub use scale::{Dataset, Scale, Sizes};
pub use source::Files;
pub use table::{TABLE_PRESET, TABLE_SETTINGS, TableMaker, TableTraining};
