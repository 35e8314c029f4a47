//! This module computes the SHA-256 of files and streams, and writes bytes as lower-case hexadecimal.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::Digest;

use crate::error::{Error, Result};

/// A SHA-256 over bytes that come piece by piece.
///
/// ```
/// let mut hash = autogan_files::Sha256::new();
/// hash.update("ab");
/// hash.update(b"c");
/// assert!(hash.hex().starts_with("ba7816bf"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// The hash of no bytes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The hash of `bytes` alone, as [`Sha256::hex`].
    #[must_use]
    pub fn of(bytes: impl AsRef<[u8]>) -> String {
        hex(&sha2::Sha256::digest(bytes))
    }

    /// Adds bytes. The hash does not depend on how they are cut into calls.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes);
    }

    /// Adds the length of `bytes` as 64 bits, then `bytes`, so that two different lists of pieces are different streams.
    pub fn update_piece(&mut self, bytes: impl AsRef<[u8]>) {
        self.update((bytes.as_ref().len() as u64).to_le_bytes());
        self.update(bytes);
    }

    /// The hash as 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn hex(self) -> String {
        hex(&self.0.finalize())
    }
}

/// The SHA-256 of a file as 64 lower-case hexadecimal digits, read in pieces.
///
/// # Errors
/// When the file cannot be opened or read.
pub fn sha256_file(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(Error::io("read", path))? {
            0 => return Ok(hash.hex()),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// Bytes as lower-case hexadecimal digits, two each.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn equals_the_published_test_vector() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        std::fs::write(&path, b"abc").unwrap();
        assert_eq!(sha256_file(&path).unwrap(), ABC);
        assert_eq!(Sha256::of("abc"), ABC);
    }

    #[test]
    fn pieces_know_their_length() {
        let hash = |pieces: [&str; 2]| {
            let mut hash = Sha256::new();
            pieces.iter().for_each(|piece| hash.update_piece(piece));
            hash.hex()
        };
        assert_ne!(hash(["a", "bc"]), hash(["ab", "c"]));
        let mut whole = Sha256::new();
        whole.update(b"\x01\0\0\0\0\0\0\0a\x02\0\0\0\0\0\0\0bc");
        assert_eq!(hash(["a", "bc"]), whole.hex());
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = sha256_file("no/such/file").unwrap_err();
        assert!(error.to_string().starts_with("cannot open no/such/file"), "{error}");
        assert!(error.is_not_found());
    }
}
