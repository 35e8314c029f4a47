//! The networks of AutoGAN: the weight-sharing generator, the derived generator and the growing
//! discriminator.
//!
//! Section 3 of the paper (Gong et al., *AutoGAN*, ICCV 2019, arXiv 1908.03835); the tensors are
//! named as in the released code (VITA-Group/AutoGAN at a5eeef0), so its checkpoints load here and
//! ours load there.
//!
//! - [`Generator`]: supernet or derived network. The architecture is an argument of
//!   [`Generator::forward`], no network keeps a current one. Only the branches that the
//!   architecture names are computed and get a gradient.
//! - [`Discriminator`]: fixed blocks under spectral norm; the stage, an argument too, says how many
//!   of them run.
//! - [`loss`]: the hinge losses. [`Ema`]: the averaged generator that is evaluated.
//!   [`BatchNormStats`]: batch-norm statistics recalibrated for one child of the supernet.
//! - [`checkpoint`]: named tensors in and out, strictly; [`names`]: our names and the released
//!   ones; [`Description`]: architecture and rules in the metadata of a file.
//!
//! Every random draw comes from the `rand::Rng` that the caller hands in, in the order of the
//! tensors' names.

pub mod checkpoint;
pub mod loss;
pub mod names;

mod cell;
mod description;
mod discriminator;
mod ema;
mod error;
mod generator;
mod init;
mod layers;
mod norm_stats;
mod params;

pub use autogan_config::{DiscriminatorInit, EmaBuffers, PreOrder, SkipTap};
pub use autogan_ops as ops;
pub use description::Description;
pub use discriminator::{DMode, Discriminator, DiscriminatorConfig, Prepared};
pub use ema::Ema;
pub use error::{NnError, Result};
pub use generator::{Generator, GeneratorConfig, Rules, Trace};
pub use init::Init;
pub use layers::Grad;
pub use norm_stats::{BatchNormStats, NormMode};
pub use params::Params;
