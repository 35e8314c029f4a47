//! Pictures, one target for each format.

use std::path::Path;

use autogan_data::{decode_picture as decode, picture_size};
use image::ImageFormat;

use super::{MIB, bound};
use crate::Bound;

/// What decoding may take: four times 64 MiB and 1,100 bytes for each byte of the file, which are the decoder's limit. Its
/// output, a buffer of its own, our planes and the copy that is compared are held at the same time.
pub(super) const BOUND: Bound = bound(4 * 64 * MIB, 4 * 1100);

/// Decodes a picture of `format` with and without an alpha channel; it is as large as its header says.
fn decoded(bytes: &[u8], format: ImageFormat) -> bool {
    if image::guess_format(bytes).ok() != Some(format) {
        return false;
    }
    let size = picture_size(bytes);
    let strict = decode(bytes, Path::new("picture"), false).ok();
    let loose = decode(bytes, Path::new("picture"), true).ok();
    if let Some(picture) = &loose {
        assert_eq!(size, Some((picture.width, picture.height)));
        assert_eq!(picture.planes.len(), 3 * picture.width * picture.height);
        let mut square = vec![0; 3 * 8 * 8];
        if picture.width * picture.height > 0 {
            picture.fit(8, &mut square);
        }
    }
    // An alpha channel is the only thing that is forgiven.
    assert!(strict.is_none() || strict == loose);
    loose.is_some()
}

macro_rules! formats {
    ($($(#[$doc:meta])* $name:ident = $format:ident;)+) => {
        $($(#[$doc])* pub(super) fn $name(bytes: &[u8]) -> bool { decoded(bytes, ImageFormat::$format) })+
    };
}

formats! {
    /// JPEG.
    jpeg = Jpeg;
    /// PNG.
    png = Png;
    /// WebP, with and without loss.
    webp = WebP;
    /// TIFF.
    tiff = Tiff;
    /// PNM: PBM, PGM, PPM, PAM.
    pnm = Pnm;
    /// BMP.
    bmp = Bmp;
}
