//! This crate holds what every other crate needs for its files, and knows no tensor library.
//!
//! - [`atomic`] replaces a file so that the old or the new content is there, whole.
//! - [`Sha256`], [`sha256_file`] and [`hex`] hash and print.
//! - [`safetensors`] writes the same bytes for the same tensors.
//!
//! Libraries return [`Error`]; it names the file and says what to do.

pub mod atomic;
mod error;
mod hash;
pub mod safetensors;

pub use error::{Error, Result};
pub use hash::{Sha256, hex, sha256_file};
