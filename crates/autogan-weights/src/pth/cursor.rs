//! Bytes of a pickle with a position; every read is checked against the end.

use crate::error::Fault;

/// Position in a pickle. Offsets in errors count from `base`.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
    base: u64,
}

impl<'a> Cursor<'a> {
    /// Starts at the first of `bytes`, which lies at offset `base` of the file or member.
    pub fn new(bytes: &'a [u8], base: u64) -> Self {
        Cursor { bytes, position: 0, base }
    }

    /// Bytes consumed so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Offset of the next byte in the file or member.
    pub fn offset(&self) -> u64 {
        self.base + self.position as u64
    }

    /// The next `count` bytes, which stand for `what`.
    pub fn take(&mut self, count: usize, what: &str) -> Result<&'a [u8], Fault> {
        let rest = &self.bytes[self.position..];
        let Some(taken) = rest.get(..count) else {
            return Err(Fault::new(
                self.offset(),
                format!("{count} bytes of {what}"),
                format!("the end after {}: the file is truncated or damaged", rest.len()),
            ));
        };
        self.position += count;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Fault> {
        let mut array = [0u8; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    /// The next byte.
    pub fn byte(&mut self, what: &str) -> Result<u8, Fault> {
        Ok(self.array::<1>(what)?[0])
    }

    /// A little-endian 32-bit count and as many bytes.
    pub fn counted(&mut self, what: &str) -> Result<&'a [u8], Fault> {
        let count = u32::from_le_bytes(self.array(what)?);
        self.take(count as usize, what)
    }

    /// Bytes up to the next line feed, which is consumed too; at most 256.
    pub fn line(&mut self, what: &str) -> Result<&'a [u8], Fault> {
        let rest = &self.bytes[self.position..];
        let window = &rest[..rest.len().min(256)];
        match window.iter().position(|b| *b == b'\n') {
            Some(end) => {
                self.position += end + 1;
                Ok(&rest[..end])
            }
            None => Err(Fault::new(
                self.offset(),
                format!("{what}, ended by a line feed"),
                format!("{} bytes without one", window.len()),
            )),
        }
    }
}
