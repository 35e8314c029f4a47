//! What a run directory tells, for people: its data in one serialisable piece, architectures as
//! drawings.
//!
//! - [`data::RunData`] is everything that a run directory holds, read in one go, also while a
//!   search writes it and also when parts of it are damaged;
//! - [`arch::arch_svg`] draws an architecture as in figure 3 of the paper (Gong et al., *AutoGAN*,
//!   ICCV 2019).
//!
//! The crate knows neither networks nor the search: everything comes out of the run directory.

pub mod arch;
pub mod data;
pub mod error;

mod svg;

pub use arch::{ArchView, Drawing, arch_svg, arch_svg_file};
pub use data::{RunData, Status, Summary};
pub use error::{Error, Result};
