//! Names of run directories: `00003-quick-s0` is number, preset and seed.

use std::fs;
use std::path::Path;

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
    let mut next = 0;
    for entry in fs::read_dir(runs).map_err(Error::io("list", runs))? {
        let name = entry.map_err(Error::io("list", runs))?.file_name();
        if let Some(number) = run_number(&name.to_string_lossy()) {
            next = next.max(number.saturating_add(1));
        }
    }
    Ok(next)
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
