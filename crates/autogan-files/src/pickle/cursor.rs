//! A [`Cursor`] reads the bytes of a pickle at a position; every read is checked against the end.

use crate::Fault;

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
    pub fn take(&mut self, count: u64, what: &str) -> Result<&'a [u8], Fault> {
        let rest = &self.bytes[self.position..];
        match usize::try_from(count).ok().and_then(|count| rest.get(..count)) {
            Some(taken) => {
                self.position += taken.len();
                Ok(taken)
            }
            None => Err(self.ended(format!("{count} bytes of {what}"))),
        }
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Fault> {
        let mut array = [0u8; N];
        array.copy_from_slice(self.take(N as u64, what)?);
        Ok(array)
    }

    /// The next byte.
    pub fn byte(&mut self, what: &str) -> Result<u8, Fault> {
        Ok(self.array::<1>(what)?[0])
    }

    /// A little-endian number of `width` bytes, at most 8.
    pub fn number(&mut self, width: usize, what: &str) -> Result<u64, Fault> {
        let bytes = self.take(width as u64, what)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// A little-endian count of `width` bytes and as many bytes.
    pub fn counted(&mut self, width: usize, what: &str) -> Result<&'a [u8], Fault> {
        let count = self.number(width, what)?;
        self.take(count, what)
    }

    /// Bytes up to the next line feed, which is consumed too.
    pub fn line(&mut self, what: &str) -> Result<&'a [u8], Fault> {
        let rest = &self.bytes[self.position..];
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(self.ended(format!("{what}, ended by a line feed")));
        };
        self.position += end + 1;
        Ok(&rest[..end])
    }

    fn ended(&self, expected: String) -> Fault {
        let left = self.bytes.len() - self.position;
        let found = format!("the end of the file after {left}: it is truncated or damaged");
        Fault::new(self.offset(), expected, found)
    }
}
