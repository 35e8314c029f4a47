//! This crate holds AutoGAN's networks: the weight-sharing and the derived generator, and the growing discriminator.
//!
//! They follow section 3 of the paper (Gong et al., *AutoGAN*, ICCV 2019, arXiv 1908.03835). The tensors are named as
//! in the released code (VITA-Group/AutoGAN at a5eeef0), so its checkpoints load here and ours load there.
//!
//! - [`Generator`]: a supernet or a derived network. The architecture is an argument of
//!   [`Generator::forward`]; no network keeps a current one. Only the branches that the
//!   architecture names are computed and get a gradient.
//! - [`Discriminator`]: fixed blocks under spectral norm. The stage is an argument too; it says how
//!   many of the blocks run.
//! - [`layers`]: what both are built of. [`Generator::bind`] and [`Discriminator::at`] make candle
//!   modules of the networks; `docs/candle.md` shows how to use them from a program of candle's.
//! - [`loss`]: the hinge losses. [`Ema`]: the averaged generator, which is the one that is evaluated.
//!   [`BatchNormStats`]: batch-norm statistics collected for one architecture of the supernet.
//! - [`Params`]: the named tensors of a network. [`checkpoint`] loads and saves them, and [`names`]
//!   translates between our names and those of the released models. [`Description`] keeps the
//!   architecture and the rules in the metadata of a file.
//!
//! Every random number is drawn from the `rand::Rng` that the caller passes. Initial values are drawn
//! in the order of the tensors' names.

pub mod checkpoint;
pub mod layers;
pub mod loss;
pub mod names;

mod bound;
mod cell;
mod description;
mod discriminator;
mod ema;
mod error;
mod generator;
mod norm_stats;

pub use autogan_config::{DiscriminatorInit, EmaBuffers, PreOrder, SkipTap};
pub use autogan_ops as ops;
pub use autogan_weights::{Init, Params};
pub use bound::{BoundDiscriminator, BoundGenerator};
pub use description::Description;
pub use discriminator::{DMode, Discriminator, DiscriminatorConfig, PreparedPass};
pub use ema::Ema;
pub use error::{NnError, Result};
pub use generator::{Generator, GeneratorConfig, Rules, Trace};
pub(crate) use layers::Grad;
pub use norm_stats::{BatchNormStats, NormMode};
