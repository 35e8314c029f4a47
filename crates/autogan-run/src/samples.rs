//! A [`Picture`] holds sample images, a grid of them or one, and is saved as PNG.
//!
//! Images come in as bytes `[N, 3, H, W]` (channels first, 0 to 255) and are stored as PNG, RGB,
//! 8 bits. The same images give the same bytes.

use std::io::Cursor;
use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use crate::error::{Error, Result};
use autogan_files::atomic;

/// Colours of a pixel.
const RGB: usize = 3;

/// An RGB picture, rows from the top, three bytes a pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height · width · 3` bytes, `[H, W, 3]`.
    pub pixels: Vec<u8>,
}

/// How a grid is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GridLayout {
    /// Images in a row; the last row may be shorter.
    pub columns: usize,
    /// Pixels between images and around them, after enlarging.
    pub padding: usize,
    /// Each pixel becomes a square of this side (1: as it is).
    pub scale: usize,
    /// Colour between the images.
    pub background: [u8; 3],
}

impl GridLayout {
    /// A square grid for `n` images, two white pixels between them, enlarged so that an image is
    /// at least 32 pixels wide.
    pub fn square(n: usize, side: usize) -> GridLayout {
        let root = n.isqrt();
        GridLayout {
            columns: (root + usize::from(root * root < n)).max(1),
            padding: 2,
            scale: 32_usize.div_ceil(side.max(1)),
            background: [255; 3],
        }
    }
}

impl Picture {
    /// One image `[3, H, W]` as a picture.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the bytes do not fill the shape.
    pub fn from_chw(image: &[u8], height: usize, width: usize) -> Result<Picture> {
        let layout = GridLayout { columns: 1, padding: 0, scale: 1, background: [0; 3] };
        Picture::grid(image, [1, RGB, height, width], layout)
    }

    /// The images `[N, 3, H, W]`, row by row.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the bytes do not fill the shape, it is not RGB, it holds nothing, or
    /// the layout has no columns or no scale.
    pub fn grid(images: &[u8], shape: [usize; 4], layout: GridLayout) -> Result<Picture> {
        let [n, channels, height, width] = shape;
        let found = || format!("{} bytes as {shape:?}, {layout:?}", images.len());
        let filled = n > 0 && height > 0 && width > 0 && layout.columns > 0 && layout.scale > 0;
        let area = height.checked_mul(width);
        let size = area.and_then(|area| area.checked_mul(RGB)?.checked_mul(n));
        if !filled || channels != RGB || size != Some(images.len()) {
            return Err(Error::invalid("images", "N·3·H·W bytes as [N, 3, H, W]", found()));
        }
        let columns = layout.columns.min(n);
        let rows = n.div_ceil(columns);
        let side = |count: usize, size: usize| {
            let cell = size.checked_mul(layout.scale)?.checked_add(layout.padding)?;
            cell.checked_mul(count)?.checked_add(layout.padding)
        };
        let total = side(columns, width).zip(side(rows, height));
        let Some((full_width, full_height)) = total else {
            return Err(Error::invalid("images", "a grid of sane size", found()));
        };
        let mut picture = Picture {
            width: full_width,
            height: full_height,
            pixels: layout.background.repeat(full_width * full_height),
        };
        for (index, image) in images.chunks_exact(RGB * height * width).enumerate() {
            let left = layout.padding + index % columns * (width * layout.scale + layout.padding);
            let top = layout.padding + index / columns * (height * layout.scale + layout.padding);
            picture.paste(image, [height, width], [top, left], layout.scale);
        }
        Ok(picture)
    }

    /// Puts the image `[3, H, W]` at `[top, left]`, each pixel as a square of side `scale`.
    fn paste(&mut self, image: &[u8], [height, width]: [usize; 2], at: [usize; 2], scale: usize) {
        for y in 0..height * scale {
            let row = (at[0] + y) * self.width + at[1];
            let target = &mut self.pixels[row * RGB..(row + width * scale) * RGB];
            for (x, pixel) in target.chunks_exact_mut(RGB).enumerate() {
                let source = y / scale * width + x / scale;
                for (channel, value) in pixel.iter_mut().enumerate() {
                    *value = image[channel * height * width + source];
                }
            }
        }
    }

    /// The picture as a PNG file's bytes.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the sides do not fit a PNG or the pixels do not fill them.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let invalid =
            |found: String| Error::invalid("picture", "a picture that PNG can hold", found);
        let side = |size: usize| u32::try_from(size).map_err(|_| invalid(size.to_string()));
        let (length, width, height) = (self.pixels.len(), self.width, self.height);
        if length != width * height * RGB {
            return Err(invalid(format!("{length} bytes for {width}x{height}")));
        }
        let mut bytes = Cursor::new(Vec::new());
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
            .write_image(&self.pixels, side(width)?, side(height)?, ExtendedColorType::Rgb8)
            .map_err(|error| invalid(error.to_string()))?;
        Ok(bytes.into_inner())
    }

    /// Writes the picture as PNG, atomically.
    ///
    /// # Errors
    /// As [`Picture::to_png`]; otherwise the file system's error.
    pub fn write_png(&self, path: &Path) -> Result<()> {
        Ok(atomic::write(path, &self.to_png()?)?)
    }
}

/// Name of a sample grid's file: sorted by name is sorted by stage and iteration.
pub fn file_name(stage: u32, iteration: u32, tag: &str) -> String {
    let tag: String =
        tag.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("s{stage}-i{iteration:04}-{tag}.png")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(columns: usize, padding: usize, scale: usize) -> GridLayout {
        GridLayout { columns, padding, scale, background: [9, 8, 7] }
    }

    #[test]
    fn channels_first_becomes_pixels() {
        // Two pixels: (1, 3, 5) and (2, 4, 6).
        let picture = Picture::from_chw(&[1, 2, 3, 4, 5, 6], 1, 2).unwrap();
        assert_eq!(picture.pixels, [1, 3, 5, 2, 4, 6]);
        assert_eq!((picture.width, picture.height), (2, 1));
    }

    #[test]
    fn grid_places_pads_and_enlarges() {
        // Three 1x1 images in two columns, one pixel of padding, doubled.
        let images = [10, 11, 12, 20, 21, 22, 30, 31, 32];
        let picture = Picture::grid(&images, [3, 3, 1, 1], layout(2, 1, 2)).unwrap();
        assert_eq!((picture.width, picture.height), (7, 7));
        let at = |y: usize, x: usize| {
            let start = (y * 7 + x) * 3;
            <[u8; 3]>::try_from(&picture.pixels[start..start + 3]).unwrap()
        };
        let background = [9, 8, 7];
        for (y, x, colour) in [
            (0, 0, background),
            (1, 1, [10, 11, 12]),
            (2, 2, [10, 11, 12]),
            (1, 3, background),
            (2, 5, [20, 21, 22]),
            (5, 1, [30, 31, 32]),
            (5, 5, background), // the place of the missing fourth image
            (6, 6, background),
        ] {
            assert_eq!(at(y, x), colour, "({y}, {x})");
        }
    }

    #[test]
    fn png_round_trip_is_exact_and_repeatable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("grid.png");
        let images: Vec<u8> = (0..4 * 3 * 8 * 8).map(|i| (i * 7 % 251) as u8).collect();
        let picture = Picture::grid(&images, [4, 3, 8, 8], GridLayout::square(4, 8)).unwrap();
        picture.write_png(&path).unwrap();
        let back = image::open(&path).unwrap().into_rgb8();
        assert_eq!(back.width() as usize, picture.width);
        assert_eq!(picture.width, 2 * 32 + 3 * 2);
        assert_eq!(back.into_raw(), picture.pixels);
        assert_eq!(std::fs::read(&path).unwrap(), picture.to_png().unwrap());
    }

    #[test]
    fn wrong_shapes_are_errors() {
        for shape in [[1, 3, 1, 3], [2, 1, 3, 1], [0, 3, 1, 2], [usize::MAX, 3, 2, 1]] {
            assert!(Picture::grid(&[0; 6], shape, layout(1, 0, 1)).is_err(), "{shape:?}");
        }
        assert!(Picture::grid(&[0; 6], [1, 3, 1, 2], layout(0, 0, 1)).is_err());
        assert!(Picture::grid(&[0; 6], [1, 3, 1, 2], layout(1, 0, 0)).is_err());
        assert!(Picture::grid(&[0; 6], [1, 3, 1, 2], layout(1, usize::MAX, 1)).is_err());
    }

    #[test]
    fn file_names_sort_and_hold_no_path() {
        assert_eq!(file_name(1, 7, "best"), "s1-i0007-best.png");
        assert_eq!(file_name(0, 12, "../a b"), "s0-i0012----a-b.png");
    }
}
