//! A sealed file is JSON that notices damage: pretty printed, its last field a checksum of the text before it.
//!
//! A flipped bit in a number would otherwise be a wrong result that nobody can see. The checksum
//! is over the file's own text, so it depends on no reader's rounding of numbers.

use std::path::Path;

use autogan_files::{Sha256, atomic, plain};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Name of the checksum's field.
const KEY: &str = "checksum";
/// Much more than any of these files has.
const LARGEST: u64 = 16 << 20;

/// Writes `value`, a struct or a map, atomically as sealed JSON.
///
/// # Errors
/// [`Error::Invalid`] if `value` is not an object or has no fields; otherwise the file system's
/// error.
pub fn write<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    Ok(atomic::write(path, seal(value)?.as_bytes())?)
}

/// Reads what [`write()`] wrote, such as an `ArchFile`, a `ScoresFile` or a `WinnerFile`.
///
/// # Errors
/// [`Error::Damaged`] if the text and its checksum disagree, the checksum is missing or the text
/// is no `T`; an error for anything but a plain file of at most 16 MiB; otherwise the file system's error.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    read_within(path, None)
}

/// As [`read()`]; with a folder, only a file that lies inside of it.
pub(crate) fn read_within<T: DeserializeOwned>(path: &Path, within: Option<&Path>) -> Result<T> {
    let bytes = plain::read(path, within, LARGEST)?;
    let advice = "restore it from a copy, or resume the run to have it written anew";
    unseal(&bytes).map_err(|what| Error::damaged(path, what, advice))
}

/// The text of the sealed file.
fn seal<T: Serialize>(value: &T) -> Result<String> {
    let invalid = |found: String| Error::invalid("value for a JSON file", "a JSON object", found);
    let body = serde_json::to_string_pretty(value).map_err(|error| invalid(error.to_string()))?;
    let open = body.strip_suffix("\n}");
    let open = open.ok_or_else(|| invalid(body.chars().take(40).collect()))?;
    Ok(format!("{open},\n  \"{KEY}\": \"sha256:{}\"\n}}\n", Sha256::of(&body)))
}

fn unseal<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8: {error}"))?;
    let start = format!(",\n  \"{KEY}\": \"sha256:");
    let (open, rest) = text
        .rsplit_once(start.as_str())
        .ok_or("expected a checksum as the last field, found none")?;
    let sum = rest.strip_suffix("\"\n}\n").ok_or("expected the checksum to end the file")?;
    let body = format!("{open}\n}}");
    let expected = Sha256::of(&body);
    if sum != expected {
        return Err(format!("its text has checksum {expected}, it says {sum}"));
    }
    serde_json::from_str(&body).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs;

    type Map = BTreeMap<String, f64>;

    fn sample() -> Map {
        [("a".to_owned(), 0.25), ("b".to_owned(), 7.0)].into()
    }

    #[test]
    fn round_trip_is_ordinary_json() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        write(&path, &sample()).unwrap();
        assert_eq!(read::<Map>(&path).unwrap(), sample());
        let value: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(value["b"], 7.0);
        assert!(value["checksum"].as_str().unwrap().starts_with("sha256:"));
    }

    #[test]
    fn every_bit_and_every_length_counts() {
        let good = seal(&sample()).unwrap().into_bytes();
        assert_eq!(unseal::<Map>(&good).unwrap(), sample());
        for at in 0..good.len() {
            assert!(unseal::<Map>(&good[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(unseal::<Map>(&bad).is_err(), "bit {bit} of byte {at}");
            }
        }
        assert!(unseal::<Map>(&vec![0; good.len()]).is_err());
    }

    #[test]
    fn only_objects_can_be_sealed() {
        assert!(seal(&[1, 2]).is_err());
        assert!(seal(&Map::new()).is_err());
    }
}
