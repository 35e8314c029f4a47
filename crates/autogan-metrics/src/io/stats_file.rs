//! This module reads and writes statistics as `.npz` with `mu` and `sigma`, as pytorch-fid and TTUR do.
//!
//! Our own files also hold `autogan`: JSON bytes that say which protocol the features follow, so
//! that statistics of different protocols are never compared.

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

/// Statistics from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredStatistics {
    /// Mean and covariance; the count is known only with a protocol.
    pub stats: GaussianStats,
    /// Mean and covariance of the spatial features, which the files of ADM's evaluator hold, too.
    pub spatial: Option<GaussianStats>,
    /// The protocol that the features follow; none in foreign files.
    pub protocol: Option<StatsProtocol>,
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
    let protocol: Option<StatsProtocol> = match container.array(PROTOCOL)? {
        Some(npy::Array { values: Values::U8(bytes), .. }) => serde_json::from_slice(&bytes).ok(),
        _ => None,
    };
    let count = protocol.as_ref().map(|p| p.count);
    let stats = GaussianStats { count, ..stats };
    Ok(StoredStatistics { stats, spatial, protocol })
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
    let path = path.as_ref();
    stats.check("the statistics")?;
    let d = stats.dims();
    let failed = || FileError::io("write", path);
    let json = serde_json::to_vec(protocol).map_err(Into::into).map_err(failed())?;
    let members = [
        ("mu", npy::f64_bytes(&[d], &stats.mean)),
        ("sigma", npy::f64_bytes(&[d, d], &stats.cov)),
        (PROTOCOL, npy::u8_bytes(&json)),
    ];
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in members {
        let started = zip.start_file(format!("{name}.npy"), options).map_err(Into::into);
        started.and_then(|()| zip.write_all(&bytes)).map_err(failed())?;
    }
    let file = zip.finish().map_err(Into::into).map_err(failed())?;
    Ok(atomic::write(path, file.get_ref())?)
}
