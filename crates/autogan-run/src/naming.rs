//! This module names run directories: `00003-quick-s0` is number, preset and seed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The name of run `number`. Characters of the preset's name that are awkward in a file name
/// become dashes.
pub fn run_name(number: u32, preset: &str, seed: u64) -> String {
    let preset: String = preset
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '.' { c } else { '-' })
        .collect();
    format!("{number:05}-{preset}-s{seed}")
}

/// The number in a run's name; `None` for a name that the user chose.
pub fn run_number(name: &str) -> Option<u32> {
    let (digits, _) = name.split_once('-')?;
    let plain = digits.len() >= 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// The number after the largest in `runs`, whatever it belongs to: numbers are not used twice.
///
/// # Errors
/// The file system's error.
pub fn next_number(runs: &Path) -> Result<u32> {
    let paths = entries(runs)?;
    let numbers = paths.iter().filter_map(|path| run_number(&name_of(path)));
    Ok(numbers.max().map_or(0, |last| last.saturating_add(1)))
}

/// The paths of what a directory holds, in no order.
pub(crate) fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let paths = fs::read_dir(dir).and_then(|list| list.map(|entry| Ok(entry?.path())).collect());
    paths.map_err(Error::io("list", dir))
}

/// The last component of a path.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(run_name(3, "quick", 0), "00003-quick-s0");
        assert_eq!(run_name(123_456, "../a b", 7), "123456-..-a-b-s7");
        assert_eq!(run_number("00003-quick-s0"), Some(3));
        assert_eq!(run_number("123456-x-s1"), Some(123_456));
        for name in ["mine", "3-quick", "0000x-quick", "99999999999-x", "00003"] {
            assert_eq!(run_number(name), None, "{name}");
        }
    }

    #[test]
    fn the_next_number_is_beyond_all() {
        let runs = tempfile::tempdir().unwrap();
        assert_eq!(next_number(runs.path()).unwrap(), 0);
        for name in ["00004-a-s0", "00002-b-s0", "mine"] {
            fs::create_dir(runs.path().join(name)).unwrap();
        }
        assert_eq!(next_number(runs.path()).unwrap(), 5);
    }
}
