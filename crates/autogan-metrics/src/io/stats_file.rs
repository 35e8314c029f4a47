//! This module reads and writes statistics as `.npz` with `mu` and `sigma`, as pytorch-fid and TTUR do.
//!
//! Our own files also hold `autogan`: JSON bytes that say which protocol the features follow, so
//! that statistics of different protocols are never compared, and what the images are.

use std::io::{Cursor, Write};
use std::path::Path;

use autogan_files::{Error as FileError, atomic};
use serde::{Deserialize, Serialize};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::input_error;
use super::npy::{self, Values};
use super::npz::Container;
use crate::{GaussianStats, Result};

/// Names of the arrays that hold means and covariances: of the features, and of the spatial features.
pub(super) const NAMES: [&str; 4] = ["mu", "sigma", "mu_s", "sigma_s"];

/// Name of the array that holds the protocol.
pub(super) const PROTOCOL: &str = "autogan";

/// The protocol that the features of stored statistics follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsProtocol {
    /// Name of the extractor, which includes preset and tap.
    pub extractor: String,
    /// SHA-256 of the weight file, if the weights came from one.
    pub weights_sha256: Option<String>,
    /// Number of images.
    pub count: usize,
    /// Version of this crate that wrote the file.
    pub version: String,
}

/// What is known of statistics besides their protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsNote {
    /// What the images are, such as `cifar10-train`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// When the file was made, as RFC 3339 has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
}

/// The JSON of a file: what is known of its statistics.
#[derive(Serialize)]
struct Card<'a> {
    #[serde(flatten)]
    protocol: Option<&'a StatsProtocol>,
    #[serde(flatten)]
    note: &'a StatsNote,
}

/// A file of statistics without their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsSummary {
    /// Number of features.
    pub dims: usize,
    /// Whether there are statistics of spatial features, too.
    pub spatial: bool,
    /// The protocol that the features follow; none in foreign files.
    pub protocol: Option<StatsProtocol>,
    /// What else is known.
    pub note: StatsNote,
}

/// Statistics from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredStatistics {
    /// Mean and covariance; the count is known only with a protocol.
    pub stats: GaussianStats,
    /// Mean and covariance of the spatial features, which the files of ADM's evaluator hold, too.
    pub spatial: Option<GaussianStats>,
    /// The protocol that the features follow; none in foreign files.
    pub protocol: Option<StatsProtocol>,
    /// What else is known.
    pub note: StatsNote,
}

/// Reads `mu` `[D]` and `sigma` `[D, D]`, and `mu_s` and `sigma_s` where they are there, of any float type and order,
/// compressed or not.
///
/// # Errors
/// When the file is no npz, lacks one of them, their shapes do not fit each other, or a value is
/// not finite.
pub fn read_statistics(path: impl AsRef<Path>) -> Result<StoredStatistics> {
    let path = path.as_ref();
    statistics_in(path, &mut Container::open(path)?)
}

/// Reads the statistics in a container that was opened from `path`.
pub(super) fn statistics_in(path: &Path, container: &mut Container) -> Result<StoredStatistics> {
    let [mu, sigma, mu_s, sigma_s] = NAMES;
    let stats = moments(container, path, [mu, sigma])?;
    let spatial = match container.array(mu_s)? {
        Some(_) => Some(moments(container, path, [mu_s, sigma_s])?),
        None => None,
    };
    let (protocol, note) = card(container)?;
    let count = protocol.as_ref().map(|p| p.count);
    let stats = GaussianStats { count, ..stats };
    Ok(StoredStatistics { stats, spatial, protocol, note })
}

/// What a file says of its statistics; foreign files say nothing.
fn card(container: &mut Container) -> Result<(Option<StatsProtocol>, StatsNote)> {
    let bytes = match container.array(PROTOCOL)? {
        Some(npy::Array { values: Values::U8(bytes), .. }) => bytes,
        _ => Vec::new(),
    };
    let note = serde_json::from_slice(&bytes).unwrap_or_default();
    Ok((serde_json::from_slice(&bytes).ok(), note))
}

/// Reads what a file says of its statistics, and leaves the values alone.
///
/// # Errors
/// When the file is no npz, or lacks `mu`.
pub fn summarise_statistics(path: impl AsRef<Path>) -> Result<StatsSummary> {
    let path = path.as_ref();
    let mut container = Container::open(path)?;
    let heads = container.heads()?;
    let shape = |name: &str| heads.iter().find(|(other, _)| other == name).map(|(_, h)| &h.shape);
    let [mu, _, mu_s, _] = NAMES;
    let dims = shape(mu).ok_or_else(|| missing(path, format!("no {mu}")))?.iter().product();
    let spatial = shape(mu_s).is_some();
    let (protocol, note) = card(&mut container)?;
    Ok(StatsSummary { dims, spatial, protocol, note })
}

/// The mean and the covariance of these names.
fn moments(container: &mut Container, path: &Path, names: [&str; 2]) -> Result<GaussianStats> {
    let mut floats = |name: &str| match container.array(name)? {
        Some(npy::Array { shape, values: Values::F64(values) }) => Ok((shape, values)),
        Some(_) => Err(missing(path, format!("{name} of integers"))),
        None => Err(missing(path, format!("no {name}"))),
    };
    let (mean_shape, mean) = floats(names[0])?;
    let (cov_shape, cov) = floats(names[1])?;
    let d = mean.len();
    if mean_shape != [d] || cov_shape != [d, d] {
        let [mu, sigma] = names;
        return Err(missing(path, format!("{mu} {mean_shape:?} and {sigma} {cov_shape:?}")));
    }
    let stats = GaussianStats { count: None, mean, cov };
    stats.check(&path.display().to_string())?;
    stats.check_directions(&path.display().to_string())?;
    Ok(stats)
}

fn missing(path: &Path, found: String) -> crate::Error {
    input_error(
        path.display(),
        "statistics: floats mu [D] and sigma [D, D]",
        found,
        "make them with `autogan score stats`",
    )
}

/// Writes statistics with their protocol; the file appears whole or not at all.
///
/// # Errors
/// When the statistics are not finite or the file cannot be written.
pub fn write_statistics(
    path: impl AsRef<Path>,
    stats: &GaussianStats,
    protocol: &StatsProtocol,
) -> Result<()> {
    let stored = StoredStatistics {
        stats: stats.clone(),
        spatial: None,
        protocol: Some(protocol.clone()),
        note: StatsNote::default(),
    };
    write_stored(path, &stored)
}

/// Writes statistics with all that is known of them; the file appears whole or not at all.
///
/// # Errors
/// As [`write_statistics`].
pub fn write_stored(path: impl AsRef<Path>, stored: &StoredStatistics) -> Result<()> {
    let path = path.as_ref();
    let StoredStatistics { stats, spatial, protocol, note } = stored;
    let failed = || FileError::io("write", path);
    let card = Card { protocol: protocol.as_ref(), note };
    let json = serde_json::to_vec(&card).map_err(Into::into).map_err(failed())?;
    let mut members = vec![(PROTOCOL, npy::u8_bytes(&json))];
    let [mu, sigma, mu_s, sigma_s] = NAMES;
    let both = [Some(([mu, sigma], stats)), spatial.as_ref().map(|stats| ([mu_s, sigma_s], stats))];
    for ([mean, cov], stats) in both.into_iter().flatten() {
        stats.check("the statistics")?;
        let d = stats.dims();
        members.push((mean, npy::f64_bytes(&[d], &stats.mean)));
        members.push((cov, npy::f64_bytes(&[d, d], &stats.cov)));
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in members {
        let started = zip.start_file(format!("{name}.npy"), options).map_err(Into::into);
        started.and_then(|()| zip.write_all(&bytes)).map_err(failed())?;
    }
    let file = zip.finish().map_err(Into::into).map_err(failed())?;
    Ok(atomic::write(path, file.get_ref())?)
}
