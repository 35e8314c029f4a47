//! This crate reads a run directory back and shows it to people: as data, as drawings of
//! architectures, as a report, as a live dashboard.
//!
//! - [`data::RunData`] is everything that a run directory holds, read in one go, also while a
//!   search writes it and also when parts of it are damaged;
//! - [`stats`] compares the rewards of choices;
//! - [`plot`] draws comparisons of runs as SVG files; [`markdown`] writes pages of text, tables and such files;
//! - [`report::write_report`] makes one HTML file of it;
//! - [`arch::arch_svg`] draws an architecture as in figure 3 of the paper (Gong et al., *AutoGAN*,
//!   ICCV 2019);
//! - [`dashboard::Dashboard`] serves the runs of a directory to a browser, live.
//!
//! The crate knows neither networks nor the search: everything comes out of the run directory.

pub mod arch;
pub mod dashboard;
pub mod data;
pub mod error;
pub mod markdown;
pub mod plot;
pub mod report;
pub mod stats;

mod chart;
mod shell;
mod svg;

pub use arch::{ArchView, Drawing, arch_glyph, arch_svg, arch_svg_file};
pub use data::{RunData, Status, Summary};
pub use error::{Error, Result};
pub use report::{report_html, write_report};
pub use shell::program;
