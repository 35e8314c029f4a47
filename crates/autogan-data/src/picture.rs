//! A [`Picture`] is one decoded picture (PNG, JPEG, WebP, BMP, TIFF, PNM), which is then fitted into a square of RGB planes.
//!
//! Decoding is that of the `image` crate; PNG, BMP, TIFF, PNM and lossless WebP are exact, JPEG may differ
//! from libjpeg by a unit or two. Orientation tags are ignored, as Pillow does by itself. The decoder of JPEG fills up
//! what is missing of a picture, so the end of the file is looked for here.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageReader};
use rayon::prelude::*;

use crate::error::{DataError, Result};
use crate::jpeg;
use crate::resize::resize_plane;

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
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    if jpeg::ends_too_early(bytes) {
        return Err(refused(
            "a whole JPEG picture",
            format!("{} bytes, which end too early", bytes.len()),
            "fetch or write the file again, or remove it",
        ));
    }
    let decoded = reader
        .map_err(image::ImageError::IoError)
        .and_then(ImageReader::decode)
        .map_err(|error| {
            refused(
                "a whole PNG, JPEG, WebP, BMP, TIFF or PNM picture",
                format!("{} bytes that do not decode ({error})", bytes.len()),
                "replace or remove it",
            )
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

impl Picture {
    /// Fits the picture into `out`, `[3, side, side]`: the shorter side is resized to `side` as
    /// Pillow's bilinear does, the longer by the same factor, and the middle is cut out
    /// (torchvision's `Resize(side)` and `CenterCrop(side)`).
    pub fn fit(&self, side: usize, out: &mut [u8]) {
        let (width, height) = self.fitted(side);
        let (left, top) = (middle(width - side), middle(height - side));
        let mut plane = vec![0u8; width * height];
        let sources = self.planes.chunks(self.width * self.height);
        for (source, target) in sources.zip(out.chunks_mut(side * side)) {
            resize_plane(source, (self.width, self.height), &mut plane, (width, height));
            let rows = plane.chunks(width).skip(top);
            for (row, target) in rows.zip(target.chunks_mut(side)) {
                target.copy_from_slice(&row[left..left + side]);
            }
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
            }
        }
        let mut whole = Vec::new();
        image.write_to(&mut Cursor::new(&mut whole), ImageFormat::Jpeg).unwrap();
        let cut = &whole[..whole.len() - 2];
        let text = decode(cut, Path::new("c.jpg"), false).unwrap_err().to_string();
        assert!(text.contains("c.jpg") && text.contains("end too early"), "{text}");
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
