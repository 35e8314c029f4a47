//! This module checks a run's `config.toml`. The store holds the same text under a checksum, which shows when the file
//! was edited or damaged.

use std::iter::repeat;
use std::path::PathBuf;

use crate::dir::RunDir;
use crate::error::{Error, Result};
use crate::store::{Record, Session, Store};
use autogan_files::atomic;

/// Kind of the session rows that hold the configuration, as a JSON string.
pub(crate) const CONFIG_KIND: &str = "config";

/// Compares `config.toml` with the configuration in the store, which is guarded by checksums.
/// Returns the text if the store has none yet.
pub(crate) fn checked_config(dir: &RunDir, store: &mut Store) -> Result<Option<String>> {
    let path = dir.config_path();
    let found = read_config(dir)?;
    let known = known_configs(&store.read()?.rows_after(0)?);
    let Some(expected) = known.last() else {
        return Ok(Some(found));
    };
    if found == *expected {
        return Ok(None);
    }
    if known.contains(&found) {
        // Killed while the configuration was replaced.
        atomic::write(&path, expected.as_bytes())?;
        return Ok(None);
    }
    Err(config_changed(path, expected, &found))
}

impl RunDir {
    /// The text of `config.toml`, checked against the store's `sessions`, which record it under a checksum.
    ///
    /// # Errors
    /// [`Error::ConfigChanged`] if it is not what the run was started with; also the file system's error.
    pub fn checked_config(&self, sessions: &[Record<Session>]) -> Result<String> {
        let found = read_config(self)?;
        let known = known_configs(sessions);
        match known.last() {
            // An earlier one is there for a moment while it is replaced.
            Some(expected) if !known.contains(&found) => {
                Err(config_changed(self.config_path(), expected, &found))
            }
            _ => Ok(found),
        }
    }
}

/// The text of `config.toml`; bytes that are not UTF-8 differ from what was written anyway.
fn read_config(dir: &RunDir) -> Result<String> {
    let bytes = dir.config_bytes()?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The configurations that the run had, the present one last.
fn known_configs(sessions: &[Record<Session>]) -> Vec<String> {
    sessions
        .iter()
        .filter(|session| session.row.kind == CONFIG_KIND)
        .filter_map(|session| serde_json::from_str(&session.row.json).ok())
        .collect()
}

fn config_changed(path: PathBuf, expected: &str, found: &str) -> Error {
    let lines = expected.lines().map(Some).chain(repeat(None));
    let (line, (expected, found)) = (1..)
        .zip(lines.zip(found.lines().map(Some).chain(repeat(None))))
        .find(|(_, (expected, found))| expected != found || expected.is_none())
        .unwrap_or((0, (None, None)));
    Error::ConfigChanged {
        path,
        line,
        expected: expected.unwrap_or("the end").to_owned(),
        found: found.unwrap_or("the end").to_owned(),
    }
}
