//! This module finds out whether a picture's file is whole, where decoders do not look: whether a JPEG file has its marker
//! of the end (EOI), a PNG file its last chunk (IEND), and a WebP file all the bytes that its header counts.
//!
//! A JPEG file's segments are skipped by their lengths, so that the end of a thumbnail inside of one does not count.

const START: [u8; 3] = [0xFF, 0xD8, 0xFF];
const END: u8 = 0xD9;
const PNG: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// The name of the format that `bytes` begin with, where they break off before its end. Bytes after the end are no fault:
/// some cameras put a second picture there.
pub(crate) fn ends_too_early(bytes: &[u8]) -> Option<&'static str> {
    let (name, whole) = if bytes.starts_with(&START) {
        ("JPEG", has_end(&bytes[2..]))
    } else if let Some(chunks) = bytes.strip_prefix(&PNG) {
        ("PNG", has_last_chunk(chunks))
    } else if let (Some(b"RIFF"), Some(b"WEBP")) = (bytes.get(..4), bytes.get(8..12)) {
        ("WebP", has_counted_bytes(bytes))
    } else {
        return None;
    };
    (!whole).then_some(name)
}

/// Whether the last chunk of a PNG file is there. Its animation may come after the picture that is decoded.
fn has_last_chunk(mut chunks: &[u8]) -> bool {
    loop {
        let Some((head, rest)) = chunks.split_first_chunk::<8>() else { return false };
        let [length, kind] = [&head[..4], &head[4..]];
        let length = length.iter().fold(0u64, |number, &byte| number << 8 | u64::from(byte));
        if length > i32::MAX as u64 {
            // No chunk is so long: the file is broken in another way, which the decoder tells.
            return true;
        }
        // A checksum of four bytes follows the content.
        let Some(after) = rest.get(length as usize + 4..) else { return false };
        if kind == b"IEND" {
            return true;
        }
        chunks = after;
    }
}

/// Whether a RIFF file has as many bytes as its header says.
fn has_counted_bytes(bytes: &[u8]) -> bool {
    let counted = bytes.get(4..8).and_then(|count| count.first_chunk::<4>());
    counted.is_some_and(|&count| u64::from(u32::from_le_bytes(count)) + 8 <= bytes.len() as u64)
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

    fn encoded(format: ImageFormat) -> Vec<u8> {
        let image =
            RgbImage::from_fn(48, 48, |x, y| Rgb([(x * 5) as u8, (y * 5) as u8, (x * y) as u8]));
        let mut bytes = Vec::new();
        image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    fn jpeg() -> Vec<u8> {
        encoded(ImageFormat::Jpeg)
    }

    fn ends_too_early(bytes: &[u8]) -> bool {
        super::ends_too_early(bytes).is_some()
    }

    #[test]
    fn every_beginning_of_a_picture_ends_too_early() {
        for (format, start) in
            [(ImageFormat::Jpeg, 3), (ImageFormat::Png, PNG.len()), (ImageFormat::WebP, 12)]
        {
            let whole = encoded(format);
            assert!(!ends_too_early(&whole), "{format:?}");
            assert!(!ends_too_early(&[&whole[..], b"more"].concat()), "{format:?}");
            for length in start..whole.len() {
                let cut = &whole[..length];
                assert!(ends_too_early(cut), "{format:?}: {length} of {}", whole.len());
            }
        }
    }

    #[test]
    fn what_comes_after_the_first_picture_of_a_file_must_be_whole() {
        // The second picture of an animation, of which half is there.
        let whole = encoded(ImageFormat::Png);
        let end = whole.len() - 12;
        let second = [&200u32.to_be_bytes()[..], b"fdAT", &[7; 100]].concat();
        let cut = [&whole[..end], &second].concat();
        assert_eq!(super::ends_too_early(&cut), Some("PNG"));
        let full = [&whole[..end], &second, &[7; 104], &whole[end..]].concat();
        assert!(!ends_too_early(&full));
        // A length that no chunk has is another fault.
        assert!(!ends_too_early(&[&whole[..8], &[0xFF; 8]].concat()));
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
        for other in [&b"\x89PN"[..], b"BM", b"RIFF\x10\0\0\0WAVE", b"P5 1 1 255"] {
            assert!(!ends_too_early(other));
        }
    }
}
