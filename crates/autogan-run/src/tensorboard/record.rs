//! This module frames records as TFRecord does: length, its checksum, data, its checksum; all little-endian.
//!
//! A checksum is a CRC-32C, rotated right by 15 bits and shifted by a constant, because a CRC over
//! data that holds CRCs is weak (tensorflow `lib/hash/crc32c.h`).

use std::io::{self, Read, Write};

use crate::CRC;

/// No event of ours comes near this; a larger length is damage that slipped past its checksum.
const LARGEST: u64 = 1 << 30;

fn masked(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// Bytes of a record around its data.
pub(super) const OVERHEAD: u64 = 8 + 4 + 4;

/// Appends one record.
///
/// # Errors
/// The writer's error.
pub(super) fn write(out: &mut impl Write, data: &[u8]) -> io::Result<()> {
    let length = (data.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked(&length).to_le_bytes())?;
    out.write_all(data)?;
    out.write_all(&masked(data).to_le_bytes())
}

/// Reads one record into `data`. `false` at the end of the file, or where it is torn or damaged.
///
/// # Errors
/// The reader's error, other than an early end.
pub(super) fn read(input: &mut impl Read, data: &mut Vec<u8>) -> io::Result<bool> {
    let mut head = [0; 12];
    if !fill(input, &mut head)? {
        return Ok(false);
    }
    let (length, sum) = head.split_at(8);
    if masked(length).to_le_bytes() != *sum {
        return Ok(false);
    }
    let length = length.iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte));
    if length > LARGEST {
        return Ok(false);
    }
    data.clear();
    // `take` and not a buffer of this length: the file may be shorter than it says.
    if input.take(length).read_to_end(data)? as u64 != length {
        return Ok(false);
    }
    let mut sum = [0; 4];
    Ok(fill(input, &mut sum)? && masked(data).to_le_bytes() == sum)
}

fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand after tensorflow's `record_writer.h`.
    #[test]
    fn framing_is_tensorflows() {
        let mut bytes = Vec::new();
        write(&mut bytes, b"abc").unwrap();
        assert_eq!(bytes[..8], [3, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[12..15], *b"abc");
        assert_eq!(bytes.len() as u64, 3 + OVERHEAD);
        // crc32c("abc") = 0x364B3FB7 (published); masked by hand:
        // 0x364B3FB7 rotated right by 15 is 0x7F6E6C96, plus 0xA282EAD8 is 0x21F1576E.
        assert_eq!(CRC.checksum(b"abc"), 0x364B_3FB7);
        assert_eq!(bytes[15..], 0x21F1_576E_u32.to_le_bytes());
    }

    /// RFC 3720, B.4: the check value, 32 bytes of zeros and of ones.
    #[test]
    fn published_check_values() {
        assert_eq!(CRC.checksum(b"123456789"), 0xE306_9283);
        assert_eq!(CRC.checksum(&[0; 32]), 0x8A91_36AA);
        assert_eq!(CRC.checksum(&[0xFF; 32]), 0x62A8_AB43);
    }

    #[test]
    fn reads_back_and_stops_at_any_damage() {
        let mut good = Vec::new();
        write(&mut good, b"first").unwrap();
        let one = good.len();
        write(&mut good, b"second").unwrap();
        let records = |mut bytes: &[u8]| {
            let (mut count, mut data) = (0, Vec::new());
            while read(&mut bytes, &mut data).unwrap() {
                count += 1;
            }
            count
        };
        assert_eq!(records(&good), 2);
        for at in 0..good.len() {
            let whole = usize::from(at >= one);
            assert_eq!(records(&good[..at]), whole, "cut at {at}");
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert_eq!(records(&bad), whole, "bit {bit} of byte {at}");
            }
        }
    }
}
