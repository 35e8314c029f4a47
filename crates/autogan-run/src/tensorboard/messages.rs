//! This module encodes the messages of an event file, as TensorBoard declares them.
//!
//! Every field is optional, so that a zero is written as well.

use prost::Message;

/// `Event` of `compat/proto/event.proto`.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, optional, tag = "1")]
    wall_time: Option<f64>,
    #[prost(int64, optional, tag = "2")]
    step: Option<i64>,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

/// `Summary` of `compat/proto/summary.proto`.
#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

/// `Summary.Value`.
#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, optional, tag = "1")]
    tag: Option<String>,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "4")]
    image: Option<Image>,
}

/// `Summary.Image`.
#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(int32, optional, tag = "1")]
    height: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    width: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    colorspace: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "4")]
    encoded_image_string: Option<Vec<u8>>,
}

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
        /// The PNG file's bytes; its header tells the sides.
        png: &'a [u8],
    },
}

/// The bytes of an `Event`. `wall_time` is in seconds since 1970.
pub(super) fn encode(wall_time: f64, step: u64, content: Content<'_>) -> Vec<u8> {
    let named = |tag: &str| Value { tag: Some(tag.to_owned()), ..Value::default() };
    let (version, value) = match content {
        Content::Version => (Some("brain.Event:2".to_owned()), None),
        Content::Scalar { tag, value } => {
            (None, Some(Value { simple_value: Some(value), ..named(tag) }))
        }
        Content::Image { tag, png } => {
            let image = Image {
                height: Some(png_number(png, 20)),
                width: Some(png_number(png, 16)),
                // RGB.
                colorspace: Some(3),
                encoded_image_string: Some(png.to_vec()),
            };
            (None, Some(Value { image: Some(image), ..named(tag) }))
        }
    };
    let event = Event {
        wall_time: Some(wall_time),
        step: Some(step.cast_signed()),
        file_version: version,
        summary: value.map(|value| Summary { value: vec![value] }),
    };
    event.encode_to_vec()
}

/// The number at an offset of a PNG's first chunk; 0 where the file is shorter.
fn png_number(png: &[u8], at: usize) -> i32 {
    let bytes = png.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    i32::from_be_bytes(bytes.unwrap_or_default())
}

/// The `step` of an event that [`encode`] made, and whether it carries a summary. `None` if it is
/// no such event.
pub(super) fn step(event: &[u8]) -> Option<(u64, bool)> {
    let event = Event::decode(event).ok()?;
    event.wall_time?;
    Some((event.step?.cast_unsigned(), event.summary.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        // A PNG's signature, length and name of the first chunk, sides.
        let mut png = vec![9; 16];
        png.extend([0, 0, 0, 200, 0, 0, 0, 100]);
        let image = encode(0.0, 1, Content::Image { tag: "g", png: &png });
        #[rustfmt::skip]
        let expected = [
            0x2A, 40, 0x0A, 38,
            0x0A, 1, b'g',
            0x22, 33,
            0x08, 100, 0x10, 0xC8, 0x01, 0x18, 3, 0x22, 24,
        ];
        assert_eq!(image[11..], [&expected[..], &png].concat());
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
        assert_eq!(step(&[]), None);
        for number in [0, 1, 127, 128, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(step(&encode(1.0, number, Content::Version)), Some((number, false)));
        }
    }
}
