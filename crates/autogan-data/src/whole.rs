//! This module finds out whether a JPEG file is whole: whether its marker of the end (EOI) is there.
//!
//! Segments are skipped by their lengths, so that the end of a thumbnail inside of one does not count.

const START: [u8; 3] = [0xFF, 0xD8, 0xFF];
const END: u8 = 0xD9;

/// Whether `bytes` begin as a JPEG file and break off before its end. Bytes after the end are no fault: some cameras
/// put a second picture there.
pub(crate) fn ends_too_early(bytes: &[u8]) -> bool {
    bytes.starts_with(&START) && !has_end(&bytes[2..])
}

/// Whether the marker of the end follows, after any number of segments and scans.
fn has_end(mut bytes: &[u8]) -> bool {
    while let Some(found) = bytes.iter().position(|&byte| byte == 0xFF) {
        // Any number of 0xFF may stand before a marker.
        bytes = &bytes[found..];
        let Some(code) = bytes.iter().position(|&byte| byte != 0xFF) else { return false };
        let marker = bytes[code];
        bytes = &bytes[code + 1..];
        bytes = match marker {
            END => return true,
            // 0xFF of a scan's data, restarts and the start have no length.
            0x00 | 0x01 | 0xD0..=0xD8 => bytes,
            _ => match bytes {
                [high, low, ..] => {
                    let length = usize::from(u16::from_be_bytes([*high, *low]));
                    bytes.get(length.max(2)..).unwrap_or_default()
                }
                _ => return false,
            },
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ImageFormat, Rgb, RgbImage};

    use super::*;

    fn jpeg() -> Vec<u8> {
        let image =
            RgbImage::from_fn(48, 48, |x, y| Rgb([(x * 5) as u8, (y * 5) as u8, (x * y) as u8]));
        let mut bytes = Vec::new();
        image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Jpeg).unwrap();
        bytes
    }

    #[test]
    fn every_beginning_of_a_picture_ends_too_early() {
        let whole = jpeg();
        assert!(!ends_too_early(&whole));
        for length in START.len()..whole.len() {
            assert!(ends_too_early(&whole[..length]), "{length} of {}", whole.len());
        }
    }

    #[test]
    fn zeros_in_place_of_the_rest_are_no_end() {
        // A download into a file that has its full length from the start.
        let mut bytes = jpeg();
        let half = bytes.len() / 2;
        bytes[half..].fill(0);
        assert!(ends_too_early(&bytes));
    }

    #[test]
    fn the_end_of_a_thumbnail_does_not_count() {
        let whole = jpeg();
        let thumbnail = [0xFF, 0xD8, 0xFF, 0xD9];
        let segment = [&[0xFF, 0xE1, 0, 6][..], &thumbnail].concat();
        let mut with = [&whole[..2], &segment, &whole[2..]].concat();
        assert!(!ends_too_early(&with));
        with.truncate(with.len() - 2);
        assert!(ends_too_early(&with));
    }

    #[test]
    fn what_follows_the_end_is_no_fault() {
        let whole = jpeg();
        assert!(!ends_too_early(&[&whole[..], b"more"].concat()));
        assert!(!ends_too_early(&[&whole[..], &whole[..whole.len() / 2]].concat()));
        // Fill bytes before a marker, and other files.
        let (body, end) = whole.split_at(whole.len() - 2);
        assert!(!ends_too_early(&[body, &[0xFF, 0xFF], end].concat()));
        assert!(!ends_too_early(b"\x89PNG"));
    }
}
