//! Pictures of a few pixels in each format.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// A picture of a few colours, in every kind of pixel that the format can hold.
fn written(format: ImageFormat) -> Vec<Vec<u8>> {
    let colour = |x: u32, y: u32| Rgb([(40 * x) as u8, (60 * y) as u8, (x * y) as u8]);
    let whole: DynamicImage = RgbImage::from_fn(9, 5, colour).into();
    let kinds = [
        whole.clone(),
        whole.to_luma8().into(),
        whole.to_rgba8().into(),
        whole.to_luma_alpha8().into(),
        whole.to_rgb16().into(),
    ];
    let bytes = |picture: &DynamicImage| {
        let mut bytes = Vec::new();
        picture.write_to(&mut Cursor::new(&mut bytes), format).ok().map(|()| bytes)
    };
    kinds.iter().filter_map(bytes).collect()
}

pub(crate) fn jpeg() -> Vec<Vec<u8>> {
    written(ImageFormat::Jpeg)
}

pub(crate) fn png() -> Vec<Vec<u8>> {
    written(ImageFormat::Png)
}

pub(crate) fn webp() -> Vec<Vec<u8>> {
    written(ImageFormat::WebP)
}

pub(crate) fn tiff() -> Vec<Vec<u8>> {
    written(ImageFormat::Tiff)
}

pub(crate) fn bmp() -> Vec<Vec<u8>> {
    written(ImageFormat::Bmp)
}

pub(crate) fn pnm() -> Vec<Vec<u8>> {
    let texts = [
        "P1\n2 2\n1 0 0 1\n",
        "P2\n# a comment\n2 2\n255\n0 9 100 255\n",
        "P3\n1 2\n255\n1 2 3 4 5 6\n",
        "P7\nWIDTH 1\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\nabc",
    ];
    let mut seeds = written(ImageFormat::Pnm);
    seeds.extend(texts.map(|text| text.as_bytes().to_vec()));
    seeds
}
