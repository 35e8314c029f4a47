//! A [`Picture`] is one decoded picture (PNG, JPEG, WebP, BMP, TIFF, PNM), which is then fitted into a square of RGB planes.
//!
//! Decoding is that of the `image` crate; PNG, BMP, TIFF, PNM and lossless WebP are exact, JPEG may differ
//! from libjpeg by a unit or two. Orientation tags are ignored, as Pillow does by itself, and of a file that holds several
//! pictures the first is taken. Decoders fill up what is missing of a picture, so the end of the file is looked for here.

use std::io::Cursor;
use std::path::Path;

use autogan_files::{Class, Kind, kind};
use image::{DynamicImage, ImageError, ImageReader, Limits};
use rayon::prelude::*;

use crate::error::{DataError, Result};
use crate::resize::resize_part;
use crate::whole::ends_too_early;

/// What is read, for errors.
const FORMATS: &str = "a whole PNG, JPEG, WebP, BMP, TIFF or PNM picture";

/// Help where a file ends too early.
const AGAIN: &str = "fetch or write the file again, or remove it";

/// Bytes that a decoder may take, whatever the length of the file.
const FREE: u64 = 64 << 20;

/// Bytes that a decoder may take for each byte of the file: deflate, which PNG and TIFF use, makes at most 1,032 of one.
const EXPANSION: u64 = 1100;

/// Bytes that a decoder may take for the longest file.
const MOST: u64 = 512 << 20;

/// A decoded picture: planes `[3, height, width]`, u8 RGB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Pixels, `[3, height, width]`, u8 RGB.
    pub planes: Vec<u8>,
}

/// Decodes `bytes`; `source` names them in errors. Greyscale is repeated over the channels.
///
/// # Errors
/// When the bytes are no picture of a known format or are cut off, when a channel has more than
/// 8 bits, and when there is an alpha channel and `drop_alpha` is false.
pub fn decode(bytes: &[u8], source: &Path, drop_alpha: bool) -> Result<Picture> {
    let refused = |expected: &str, found: String, help: &str| {
        DataError::content(source, expected, found, help)
    };
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map(|mut reader| {
        reader.limits(limits(bytes.len()));
        reader
    });
    if let Some(format) = ends_too_early(bytes) {
        let found = format!("{} bytes, which end too early", bytes.len());
        return Err(refused(&format!("a whole {format} picture"), found, AGAIN));
    }
    let decoded =
        reader.map_err(ImageError::IoError).and_then(ImageReader::decode).map_err(|error| {
            let (found, help) = undecodable(bytes, &error);
            refused(FORMATS, found, help)
        })?;
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    let colour = decoded.color();
    if colour.has_alpha() && !drop_alpha {
        return Err(refused(
            "RGB or greyscale without an alpha channel",
            format!("{colour:?}"),
            "flatten it first, or ask for the alpha channel to be dropped (`autogan score` and `eval`: --drop-alpha; \
             `autogan search` and `train`: --set data.drop_alpha=true)",
        ));
    }
    let pixels = match decoded {
        DynamicImage::ImageRgb8(_)
        | DynamicImage::ImageRgba8(_)
        | DynamicImage::ImageLuma8(_)
        | DynamicImage::ImageLumaA8(_) => decoded.into_rgb8().into_raw(),
        _ => {
            return Err(refused("8 bits a channel", format!("{colour:?}"), "convert it to 8 bits"));
        }
    };
    Ok(Picture { width, height, planes: planes(&pixels) })
}

/// What decoding a file of so many bytes may take. A few bytes can announce a picture of gigabytes, which nobody means.
fn limits(length: usize) -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(FREE.saturating_add(EXPANSION.saturating_mul(length as u64)).min(MOST));
    limits
}

/// Width and height of an encoded picture as its header gives them, without decoding it; none where it gives none.
pub fn size(bytes: &[u8]) -> Option<(usize, usize)> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let (width, height) = reader.into_dimensions().ok()?;
    Some((width as usize, height as usize))
}

/// Turns `[height, width, 3]` into `[3, height, width]`.
fn planes(pixels: &[u8]) -> Vec<u8> {
    let area = pixels.len() / 3;
    let mut planes = vec![0u8; 3 * area];
    let (red, others) = planes.split_at_mut(area);
    let (green, blue) = others.split_at_mut(area);
    let (colours, _) = pixels.as_chunks::<3>();
    for (((colour, red), green), blue) in colours.iter().zip(red).zip(green).zip(blue) {
        [*red, *green, *blue] = *colour;
    }
    planes
}

/// What is wrong with bytes that do not decode, and what to do about it.
fn undecodable(bytes: &[u8], error: &ImageError) -> (String, &'static str) {
    let convert = "convert it to PNG with 8 bits a channel";
    let length = bytes.len();
    match (error, kind(bytes)) {
        (ImageError::Unsupported(fault), _)
            if !matches!(fault.kind(), image::error::UnsupportedErrorKind::Format(_)) =>
        {
            (format!("{length} bytes of a variety that is not read ({error})"), convert)
        }
        (ImageError::Unsupported(_), Some(Kind { name, class: Class::Picture })) => {
            (name.to_owned(), convert)
        }
        (ImageError::Unsupported(_), Some(Kind { name, class: Class::NotDownloaded })) => {
            (name.to_owned(), AGAIN)
        }
        (ImageError::Unsupported(_), Some(Kind { name, .. })) => (name.to_owned(), "remove it"),
        (ImageError::Limits(_), _) => (
            format!(
                "{length} bytes that ask for more memory than a picture of that length needs ({error})"
            ),
            "save it as PNG with 8 bits a channel; do not trust it if it is not yours",
        ),
        (ImageError::IoError(fault), _)
            if length > 0 && fault.kind() == std::io::ErrorKind::UnexpectedEof =>
        {
            (format!("{length} bytes, which end too early"), AGAIN)
        }
        _ => (format!("{length} bytes that do not decode ({error})"), "replace or remove it"),
    }
}

impl Picture {
    /// Fits the picture into `out`, `[3, side, side]`: the shorter side is resized to `side` as
    /// Pillow's bilinear does, the longer by the same factor, and the middle is cut out
    /// (torchvision's `Resize(side)` and `CenterCrop(side)`).
    pub fn fit(&self, side: usize, out: &mut [u8]) {
        let fitted = self.fitted(side);
        let corner = (middle(fitted.0 - side), middle(fitted.1 - side));
        let sources = self.planes.chunks(self.width * self.height);
        for (source, target) in sources.zip(out.chunks_mut(side * side)) {
            let from = (self.width, self.height);
            resize_part(source, from, fitted, corner, target, (side, side));
        }
    }

    /// Width and height once the shorter side is `side`; fractions of a pixel are cut off.
    fn fitted(&self, side: usize) -> (usize, usize) {
        let short = self.width.min(self.height).max(1);
        let scaled = |length: usize| (side * length / short).max(side);
        (scaled(self.width), scaled(self.height))
    }
}

/// Decodes a picture from each of `sources` in parallel and fits it into `[3, side, side]`: all of them in order, or what
/// is wrong with each that cannot be had.
pub(crate) fn fit_all<T: Sync>(
    sources: &[T],
    side: usize,
    decode: impl Fn(usize, &T) -> Result<Picture> + Sync,
) -> Result<Vec<u8>> {
    let len = 3 * side * side;
    let mut data = vec![0u8; sources.len() * len];
    let places = data.par_chunks_mut(len).zip(sources).enumerate();
    let fit = |(i, (out, source)): (usize, (&mut [u8], &T))| {
        decode(i, source)?.fit(side, out);
        Ok(())
    };
    let faults: Vec<DataError> = places.filter_map(|place| fit(place).err()).collect();
    if faults.is_empty() { Ok(data) } else { Err(DataError::several(faults)) }
}

/// Half of `spare`, halves rounded to even as Python's `round` does.
fn middle(spare: usize) -> usize {
    let half = spare / 2;
    half + (spare % 2) * (half % 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgb, RgbImage};

    fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = Vec::new();
        image.into().write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        bytes
    }

    #[test]
    fn a_picture_comes_back_as_planes() {
        let image = RgbImage::from_fn(5, 3, |x, y| Rgb([x as u8, y as u8, 200 + x as u8]));
        let picture = decode(&png(image), Path::new("a.png"), false).unwrap();
        assert_eq!((picture.width, picture.height), (5, 3));
        assert_eq!(picture.planes[..5], [0, 1, 2, 3, 4]);
        assert_eq!(picture.planes[15..25], [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
        assert_eq!(picture.planes[30..35], [200, 201, 202, 203, 204]);
    }

    #[test]
    fn grey_is_repeated() {
        let image = image::GrayImage::from_fn(2, 2, |x, y| image::Luma([(x + 2 * y) as u8]));
        let picture = decode(&png(image), Path::new("g.png"), false).unwrap();
        assert_eq!(picture.planes, [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    }

    #[test]
    fn alpha_is_refused_unless_dropped() {
        let image = image::RgbaImage::from_pixel(2, 2, image::Rgba([10, 20, 30, 40]));
        let bytes = png(image);
        let error = decode(&bytes, Path::new("a.png"), false).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("a.png") && text.contains("alpha") && text.contains("Rgba8"));
        let picture = decode(&bytes, Path::new("a.png"), true).unwrap();
        assert_eq!(picture.planes[3..9], [10, 20, 20, 20, 20, 30]);
    }

    #[test]
    fn deep_cut_off_and_foreign_bytes_are_refused() {
        let deep = image::ImageBuffer::from_pixel(2, 2, image::Luma([1000u16]));
        let text = decode(&png(DynamicImage::ImageLuma16(deep)), Path::new("d.png"), false)
            .unwrap_err()
            .to_string();
        assert!(text.contains("8 bits") && text.contains("L16"), "{text}");
        let image = RgbImage::from_fn(40, 40, |x, y| Rgb([(x * y) as u8, 1, 2]));
        let whole = png(image);
        for bytes in [&whole[..whole.len() / 2], b"hello", b""] {
            let text = decode(bytes, Path::new("t.png"), false).unwrap_err().to_string();
            assert!(text.contains("t.png") && text.contains("whole PNG"), "{text}");
        }
    }

    #[test]
    fn alpha_of_every_kind_is_refused_unless_dropped() {
        let rgba: DynamicImage =
            image::RgbaImage::from_pixel(3, 3, image::Rgba([9, 8, 7, 6])).into();
        let grey: DynamicImage =
            image::GrayAlphaImage::from_pixel(3, 3, image::LumaA([9, 6])).into();
        for (image, format, colour) in [
            (&rgba, ImageFormat::WebP, "Rgba8"),
            (&rgba, ImageFormat::Tiff, "Rgba8"),
            (&grey, ImageFormat::Png, "La8"),
        ] {
            let mut bytes = Vec::new();
            image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
            let text = decode(&bytes, Path::new("a"), false).unwrap_err().to_string();
            assert!(text.contains(colour) && text.contains("data.drop_alpha=true"), "{text}");
            assert_eq!(decode(&bytes, Path::new("a"), true).unwrap().planes[0], 9, "{format:?}");
        }
    }

    /// A TIFF of one pixel.
    fn tiff(compression: u16, photometric: u16) -> Vec<u8> {
        let fields = [
            (256, 1),
            (257, 1),
            (258, 8),
            (259, compression),
            (262, photometric),
            (273, 8),
            (277, 1),
            (278, 1),
            (279, 1),
        ];
        let mut bytes = b"II*\0\x0c\0\0\0\x07\0\0\0".to_vec();
        bytes.extend((fields.len() as u16).to_le_bytes());
        for (tag, value) in fields {
            bytes.extend([tag, 3u16, 1, 0, value, 0].iter().flat_map(|word| word.to_le_bytes()));
        }
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn what_is_not_read_is_named_and_to_be_converted() {
        assert!(decode(&tiff(1, 1), Path::new("grey"), false).is_ok());
        let deep = |image: DynamicImage, format| {
            let mut bytes = Vec::new();
            image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
            bytes
        };
        let words = image::ImageBuffer::from_pixel(2, 2, Rgb([1000u16; 3]));
        let floats = image::ImageBuffer::from_pixel(2, 2, Rgb([0.5f32; 3]));
        for (bytes, found, help) in [
            (b"GIF89a\x01\0\x01\0".to_vec(), "found a GIF picture", "convert it to PNG"),
            (b"\0\0\0\x1cftypavif\0\0\0\0".to_vec(), "an AVIF picture", "convert it to PNG"),
            (b"\0\0\0\x18ftypheic\0\0\0\0".to_vec(), "a HEIC picture", "convert it to PNG"),
            (b"8BPS\0\x01".to_vec(), "a Photoshop picture", "convert it to PNG"),
            (b"<!DOCTYPE html><html>".to_vec(), "a web page", "fetch or write the file again"),
            (b"version https://git-lfs.github.com".to_vec(), "Git LFS", "fetch or write the file"),
            (b"PK\x03\x04rest of it".to_vec(), "a zip archive", "remove it"),
            (tiff(50000, 1), "a variety that is not read", "convert it to PNG"),
            (tiff(1, 3), "a variety that is not read", "convert it to PNG"),
            (deep(words.into(), ImageFormat::Png), "found Rgb16", "convert it to 8 bits"),
            (deep(floats.into(), ImageFormat::Tiff), "found Rgb32F", "convert it to 8 bits"),
        ] {
            let text = decode(&bytes, Path::new("a.png"), false).unwrap_err().to_string();
            assert!(text.starts_with("a.png: expected ") && text.contains(found), "{text}");
            assert!(text.contains(help), "{text}");
        }
    }

    #[test]
    fn cut_pictures_of_every_format_are_refused() {
        let image = RgbImage::from_fn(40, 40, |x, y| Rgb([(x * y) as u8, x as u8, y as u8]));
        for format in [
            ImageFormat::Jpeg,
            ImageFormat::Png,
            ImageFormat::WebP,
            ImageFormat::Bmp,
            ImageFormat::Tiff,
            ImageFormat::Pnm,
        ] {
            let mut whole = Vec::new();
            image.write_to(&mut Cursor::new(&mut whole), format).unwrap();
            assert!(decode(&whole, Path::new("w"), false).is_ok(), "{format:?}");
            for tenths in 1..10 {
                let cut = &whole[..whole.len() * tenths / 10];
                let text = decode(cut, Path::new("cut"), false).unwrap_err().to_string();
                assert!(text.starts_with("cut: "), "{format:?}: {text}");
                assert!(tenths < 9 || text.contains("end too early"), "{format:?}: {text}");
            }
        }
        let mut whole = Vec::new();
        image.write_to(&mut Cursor::new(&mut whole), ImageFormat::Jpeg).unwrap();
        let cut = &whole[..whole.len() - 2];
        let text = decode(cut, Path::new("c.jpg"), false).unwrap_err().to_string();
        assert!(text.contains("c.jpg") && text.contains("end too early"), "{text}");
    }

    #[test]
    fn a_small_file_cannot_ask_for_much_memory() {
        let mut bmp = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
        bmp.extend([60_000i32, 60_000].iter().flat_map(|side| side.to_le_bytes()));
        bmp.extend([1, 0, 24, 0]);
        bmp.resize(100, 0);
        for bytes in [b"P6 60000 60000 255\nabc".to_vec(), b"P5 200000 200000 255\n".to_vec(), bmp]
        {
            let text = decode(&bytes, Path::new("a"), false).unwrap_err().to_string();
            assert!(text.contains("limit") || text.contains("too large"), "{text}");
        }
    }

    #[test]
    fn a_picture_of_one_colour_may_be_as_large_as_deflate_makes_it() {
        let plain = |side: u32, format: ImageFormat| {
            let picture: DynamicImage = RgbImage::from_pixel(side, side, Rgb([9, 9, 9])).into();
            let mut bytes = Vec::new();
            picture.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
            bytes
        };
        let whole = plain(5000, ImageFormat::Png);
        assert_eq!(decode(&whole, Path::new("a.png"), false).unwrap().width, 5000);
        // WebP writes a picture of one colour in a few bytes, whatever its size.
        let tiny = plain(8000, ImageFormat::WebP);
        let text = decode(&tiny, Path::new("a.webp"), false).unwrap_err().to_string();
        assert!(text.contains("more memory") && text.contains("save it as PNG"), "{text}");
    }

    #[test]
    fn only_the_middle_of_a_long_picture_is_made() {
        // The whole of it would take 240 GB.
        let long = Picture { width: 1, height: 60_000, planes: vec![7; 180_000] };
        let mut out = vec![0; 3 * 2000 * 2000];
        long.fit(2000, &mut out);
        assert!(out.iter().all(|&value| value == 7));
        let wide = Picture { width: 60_000, height: 1, planes: vec![9; 180_000] };
        wide.fit(2000, &mut out);
        assert!(out.iter().all(|&value| value == 9));
    }

    #[test]
    fn fitting_keeps_the_middle() {
        // Columns 0, 10, .. 60: no resizing, the middle three columns stay.
        let planes: Vec<u8> = (0..3 * 3 * 7).map(|i| (i % 7 * 10) as u8).collect();
        let picture = Picture { width: 7, height: 3, planes };
        let mut out = [0; 27];
        picture.fit(3, &mut out);
        assert_eq!(out[..6], [20, 30, 40, 20, 30, 40]);
        assert_eq!(picture.fitted(2), (4, 2));
        // round(0.5) = 0, round(1.5) = 2, round(2.5) = 2, round(3.5) = 4.
        assert_eq!([0, 1, 2, 3, 5, 7].map(middle), [0, 0, 1, 2, 2, 4]);
    }
}
