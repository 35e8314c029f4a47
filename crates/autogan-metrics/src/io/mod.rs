//! This module reads images and statistics from files, and extracts the features of whole sets (feature `io`).
//!
//! [`open`] takes what a user names (a directory, a zip, an npz, an npy, a CIFAR-10 file, a dataset) and
//! gives images, statistics or both; [`extract_set`] decodes beside the network and can keep features in
//! a cache, under a key made of content and configuration. [`ImageSource::from_pipe`] reads raw pixels as they come, and
//! [`StatsRegistry`] keeps statistics under names.

mod arrays;
mod cache;
mod decode;
mod npy;
mod npz;
mod open;
mod pipeline;
mod registry;
mod source;
mod stats_file;
mod stream;

pub use crate::FeatureSet;
pub use cache::FeatureCache;
pub use open::{Input, OpenOptions, open, open_npz};
pub use pipeline::{ExtractOptions, Extracted, extract_set};
pub use registry::StatsRegistry;
pub use source::ImageSource;
pub use stats_file::{
    StatsNote, StatsProtocol, StatsSummary, StoredStatistics, read_statistics,
    summarise_statistics, write_statistics, write_stored,
};
pub use stream::RawShape;

use crate::Error;

/// The error of an input that is not what it should be.
fn input_error(
    input: impl std::fmt::Display,
    expected: impl Into<String>,
    found: impl Into<String>,
    help: impl Into<String>,
) -> Error {
    Error::Input {
        input: input.to_string(),
        expected: expected.into(),
        found: found.into(),
        help: help.into(),
    }
}
