//! This crate holds what every other crate needs for its files, and knows no tensor library.
//!
//! - [`atomic`] replaces a file so that the old or the new content is there, whole.
//! - [`Sha256`], [`sha256_file`] and [`hex`] hash and print.
//! - [`safetensors`] writes the same bytes for the same tensors.
//! - [`plain`] reads plain files of others, up to a size and inside of a folder.
//! - [`pickle`] reads Python's pickles and executes nothing.
//! - [`strided`] turns views of elements into rows.
//! - [`kind`](fn@kind) tells what a file is that was not expected.
//!
//! An [`Error`] names the file and says what to do; a [`Fault`] says where a file breaks its format.

pub mod atomic;
mod error;
mod hash;
mod kind;
pub mod pickle;
pub mod plain;
pub mod safetensors;
pub mod strided;

pub use error::{Error, Fault, Result, quote};
pub use hash::{Sha256, hex, sha256_file};
pub use kind::{Class, Kind, TAR, kind, kind_of};
