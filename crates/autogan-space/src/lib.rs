//! This crate is the AutoGAN search space: cells, architectures, tokens, and what they cost.
//!
//! It follows section 3.1 of the paper (Gong et al., *AutoGAN*, ICCV 2019, arXiv 1908.03835). A generator is one to
//! three cells; cell `s` (counted from 0) is a tuple of `s + 5` choices: one skip bit for every earlier cell, then
//! convolution type, normalisation, upsampling and in-cell shortcut.
//!
//! The crate knows no tensor and reads no file. It says what an architecture *is* ([`Arch`],
//! [`CellArch`]), how it is written down ([`Arch::from_released`], [`Arch::named`], serde), which
//! decisions a controller takes to draw one ([`stage_tokens`]) and what the network that follows
//! from it costs ([`derived_generator_cost`], [`discriminator_cost`], [`controller_params`]), and
//! which ones a [`Budget`] allows.
//!
//! ```
//! use autogan_space::{Arch, GeneratorShape, derived_generator_cost};
//!
//! let arch: Arch = "1 0 1 1  1 0 0 1 1  1 0 1 0 3".parse()?;
//! assert_eq!(arch, Arch::AUTOGAN_A);
//! assert_eq!(arch.named(), "pre-none-nearest-sc / pre-none-bilinear-sc+1 / pre-none-nearest+1+2");
//! let shape = GeneratorShape { latent: 128, width: 256, bottom: 4 };
//! assert_eq!(derived_generator_cost(&arch, &shape).macs, 1_765_015_552);
//! # Ok::<(), autogan_space::SpaceError>(())
//! ```

mod arch;
mod budget;
mod cell;
mod choice;
mod cost;
mod count;
mod error;
mod json;
mod parse;
mod skips;
mod token;

pub use arch::Arch;
pub use budget::Budget;
pub use cell::CellArch;
pub use choice::{Conv, Norm, Upsample};
pub use cost::{
    CellCost, Cost, GeneratorCost, GeneratorShape, controller_params, dearest_cost,
    derived_generator_breakdown, derived_generator_cost, discriminator_cost, supernet_cost,
};
pub use count::{count, count_all, count_archs};
pub use error::{Result, SpaceError};
pub use json::as_text;
pub use skips::Skips;
pub use token::{TokenKind, TokenOrder, stage_tokens};

/// The most cells that a generator has; the last cell's index, 2, is also the last stage.
pub const MAX_CELLS: usize = 3;
