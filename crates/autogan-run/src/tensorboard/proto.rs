//! The few protobuf messages of an event file, written and read by hand.
//!
//! ```text
//! Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
//! Summary { repeated Value value = 1; }
//! Value   { string tag = 1; float simple_value = 2; Image image = 4; }
//! Image   { int32 height = 1; int32 width = 2; int32 colorspace = 3; bytes encoded_image_string = 4; }
//! ```

/// Wire types.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// What an event carries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Content<'a> {
    /// The first record of every file.
    Version,
    /// A number of the series `tag`.
    Scalar {
        /// Name of the series.
        tag: &'a str,
        /// The number; TensorBoard keeps single precision.
        value: f32,
    },
    /// A picture.
    Image {
        /// Name of the series of pictures.
        tag: &'a str,
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
        /// The PNG file's bytes.
        png: &'a [u8],
    },
}

/// The bytes of an `Event`. `wall_time` is in seconds since 1970.
pub(super) fn encode(wall_time: f64, step: u64, content: Content<'_>) -> Vec<u8> {
    let mut event = Vec::new();
    key(&mut event, 1, FIXED64);
    event.extend(wall_time.to_le_bytes());
    key(&mut event, 2, VARINT);
    varint(&mut event, step);
    match content {
        Content::Version => bytes(&mut event, 3, b"brain.Event:2"),
        Content::Scalar { tag, value } => {
            let mut inner = Vec::new();
            bytes(&mut inner, 1, tag.as_bytes());
            key(&mut inner, 2, FIXED32);
            inner.extend(value.to_le_bytes());
            summary(&mut event, &inner);
        }
        Content::Image { tag, width, height, png } => {
            let mut image = Vec::new();
            // Colour space 3 is RGB.
            for (field, number) in [(1, height as u64), (2, width as u64), (3, 3)] {
                key(&mut image, field, VARINT);
                varint(&mut image, number);
            }
            bytes(&mut image, 4, png);
            let mut inner = Vec::new();
            bytes(&mut inner, 1, tag.as_bytes());
            bytes(&mut inner, 4, &image);
            summary(&mut event, &inner);
        }
    }
    event
}

/// The `step` of an event that [`encode`] made, and whether it carries a summary. `None` if it is
/// no such event.
pub(super) fn step(event: &[u8]) -> Option<(u64, bool)> {
    // Key and double of the wall time, then the key of the step.
    let rest = event.get(9..)?.strip_prefix(&[2 << 3])?;
    let mut step = 0_u64;
    for (at, &byte) in rest.iter().enumerate().take(10) {
        step |= u64::from(byte & 0x7F).checked_shl(7 * u32::try_from(at).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((step, rest.get(at + 1) == Some(&(5 << 3 | 2))));
        }
    }
    None
}

fn summary(event: &mut Vec<u8>, value: &[u8]) {
    let mut summary = Vec::new();
    bytes(&mut summary, 1, value);
    bytes(event, 5, &summary);
}

fn key(out: &mut Vec<u8>, field: u64, wire: u64) {
    varint(out, field << 3 | wire);
}

fn bytes(out: &mut Vec<u8>, field: u64, content: &[u8]) {
    key(out, field, BYTES);
    varint(out, content.len() as u64);
    out.extend(content);
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = (number & 0x7F) as u8;
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints() {
        for (number, expected) in
            [(0, vec![0]), (127, vec![0x7F]), (128, vec![0x80, 1]), (300, vec![0xAC, 2])]
        {
            let mut out = Vec::new();
            varint(&mut out, number);
            assert_eq!(out, expected);
        }
    }

    /// By hand after the protobuf encoding guide.
    #[test]
    fn scalar_event() {
        let content = Content::Scalar { tag: "a/b", value: 1.5 };
        #[rustfmt::skip]
        let expected = [
            0x09, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F,       // 1: double 1.5
            0x10, 0xAC, 0x02,                         // 2: varint 300
            0x2A, 12,                                 // 5: summary of 12 bytes
            0x0A, 10,                                 // 1: value of 10 bytes
            0x0A, 3, b'a', b'/', b'b',                // 1: tag
            0x15, 0, 0, 0xC0, 0x3F,                   // 2: float 1.5
        ];
        let event = encode(1.5, 300, content);
        assert_eq!(event, expected);
        assert_eq!(step(&event), Some((300, true)));
    }

    #[test]
    fn version_and_image_events() {
        #[rustfmt::skip]
        let expected = [
            0x09, 0, 0, 0, 0, 0, 0, 0, 0,
            0x10, 0,
            0x1A, 13, b'b', b'r', b'a', b'i', b'n', b'.', b'E', b'v', b'e', b'n', b't', b':', b'2',
        ];
        let version = encode(0.0, 0, Content::Version);
        assert_eq!(version, expected);
        assert_eq!(step(&version), Some((0, false)));
        let image =
            encode(0.0, 1, Content::Image { tag: "g", width: 200, height: 100, png: &[9, 9] });
        #[rustfmt::skip]
        let expected = [
            0x2A, 18, 0x0A, 16,
            0x0A, 1, b'g',
            0x22, 11,
            0x08, 100, 0x10, 0xC8, 0x01, 0x18, 3, 0x22, 2, 9, 9,
        ];
        assert_eq!(image[11..], expected);
    }

    #[test]
    fn step_of_anything_else_is_none() {
        for cut in 0..11 {
            assert_eq!(step(&encode(1.0, 300, Content::Version)[..cut]), None);
        }
        let mut endless = vec![0; 9];
        endless.push(2 << 3);
        endless.extend([0xFF; 20]);
        assert_eq!(step(&endless), None);
        for number in [0, 1, 127, 128, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(step(&encode(1.0, number, Content::Version)), Some((number, false)));
        }
    }
}
