//! From `u8` images of any size to the network's input.
//!
//! Images that are not 32x32 are resized bilinearly with half-pixel centres and without
//! antialiasing, channel by channel on 0..255 and without rounding; then `(x − 127.5) / 127.5`;
//! then each 2x2 square of pixels becomes 4 channels, so that the first convolution runs at 16x16.

use autogan_ops::{self as ops, PixelScale, ResizeRule};
use candle_core::Tensor;

use crate::Result;
use crate::extractor::check_images;

/// Side of the images that the network sees.
pub const SIDE: usize = 32;

/// Channels of the network's input, `[N, 12, 16, 16]`.
pub const INPUT_CHANNELS: usize = 12;

/// Input tensor `[N, 12, 16, 16]`, `f32`, on the device of `images`, `u8` `[N, 3, H, W]`.
///
/// # Errors
/// [`crate::Error::Shape`] unless the images are `u8` `[N, 3, H, W]` without an empty axis.
pub fn network_input(images: &Tensor) -> Result<Tensor> {
    let (_, h, w) = check_images(images)?;
    let (center, divide) = (127.5, 127.5);
    let planes = if (h, w) == (SIDE, SIDE) {
        ops::bytes_to_floats(images, center, divide)?
    } else {
        let pixels = PixelScale { center, divide, ..PixelScale::NONE };
        ops::resize_bilinear(images, (SIDE, SIDE), ResizeRule::HalfPixel, pixels)?
    };
    Ok(ops::space_to_depth(&planes)?)
}

/// Rearranges one image `[3, 32, 32]` to `[12, 16, 16]`: channel `c · 4 + dy · 2 + dx` holds the
/// pixels `(2y + dy, 2x + dx)` of channel `c`.
pub fn space_to_depth(image: &[f32], out: &mut [f32]) {
    let half = SIDE / 2;
    for (channel, plane) in out.chunks_exact_mut(half * half).enumerate() {
        let (c, dy, dx) = (channel / 4, channel / 2 % 2, channel % 2);
        for (y, row) in plane.chunks_exact_mut(half).enumerate() {
            let start = (c * SIDE + 2 * y + dy) * SIDE + dx;
            for (x, value) in row.iter_mut().enumerate() {
                *value = image[start + 2 * x];
            }
        }
    }
}

/// Resizes planes `[C, H, W]` to `[C, h, w]` bilinearly, with half-pixel centres and without
/// antialiasing: the source of output pixel `i` is `(i + 0.5) · from / to − 0.5`, clamped to the
/// image. `from` and `to` are (height, width).
pub fn resize_bilinear(source: &[f32], from: (usize, usize), out: &mut [f32], to: (usize, usize)) {
    let rows = taps(from.0, to.0);
    let cols = taps(from.1, to.1);
    let planes = source.chunks_exact(from.0 * from.1);
    for (plane, out) in planes.zip(out.chunks_exact_mut(to.0 * to.1)) {
        for (row, &(y0, y1, fy)) in out.chunks_exact_mut(to.1).zip(&rows) {
            let (top, bottom) = (&plane[y0 * from.1..], &plane[y1 * from.1..]);
            for (value, &(x0, x1, fx)) in row.iter_mut().zip(&cols) {
                let a = top[x0] + (top[x1] - top[x0]) * fx;
                let b = bottom[x0] + (bottom[x1] - bottom[x0]) * fx;
                *value = a + (b - a) * fy;
            }
        }
    }
}

/// The two source pixels of each output pixel, and the weight of the second.
fn taps(from: usize, to: usize) -> Vec<(usize, usize, f32)> {
    let scale = from as f32 / to as f32;
    (0..to)
        .map(|i| {
            let source = ((i as f32 + 0.5) * scale - 0.5).clamp(0.0, (from - 1) as f32);
            let low = source as usize;
            (low, (low + 1).min(from - 1), source - low as f32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// Length of one image at [`SIDE`].
    const LEN: usize = 3 * SIDE * SIDE;

    #[test]
    fn bilinear_by_hand() {
        // Half-pixel centres: outputs 0..4 of 2 lie at −0.25, 0.25, 0.75, 1.25.
        let mut out = [0f32; 4];
        resize_bilinear(&[0., 8.], (1, 2), &mut out, (1, 4));
        assert_eq!(out, [0., 2., 6., 8.]);
        let mut half = [0f32; 1];
        resize_bilinear(&[1., 2., 3., 6.], (2, 2), &mut half, (1, 1));
        assert_eq!(half, [3.0]);
    }

    #[test]
    fn pixels_go_to_their_channels() {
        let bytes: Vec<u8> = (0..LEN).map(|i| (i % 251) as u8).collect();
        let images = Tensor::from_vec(bytes.clone(), (1, 3, SIDE, SIDE), &Device::Cpu).unwrap();
        let input = network_input(&images).unwrap();
        assert_eq!(input.dims(), [1, 12, 16, 16]);
        let values = input.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        // Channel 2 · 4 + 1 · 2 + 0 at (3, 5) is blue at (7, 10).
        let pixel = bytes[(2 * SIDE + 7) * SIDE + 10];
        let expected = (f32::from(pixel) - 127.5) / 127.5;
        assert_eq!(values[(10 * 16 + 3) * 16 + 5], expected);
    }

    #[test]
    fn operators_give_the_bits_of_the_loops_in_training() {
        for (h, w) in [(32, 32), (8, 8), (1, 5), (48, 31)] {
            let bytes: Vec<u8> = (0..2 * 3 * h * w).map(|i| (i * i * 31 % 256) as u8).collect();
            let images = Tensor::from_slice(&bytes, (2, 3, h, w), &Device::Cpu).unwrap();
            let flat = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let found = network_input(&images).unwrap();
            assert_eq!(found.dims(), [2, INPUT_CHANNELS, SIDE / 2, SIDE / 2]);
            let scaled = |b: &u8| (f32::from(*b) - 127.5) / 127.5;
            let planes: Vec<f32> = bytes.iter().map(scaled).collect();
            let mut expected = vec![0f32; 2 * LEN];
            for (plane, out) in planes.chunks_exact(3 * h * w).zip(expected.chunks_exact_mut(LEN)) {
                let mut resized = vec![0f32; LEN];
                resize_bilinear(plane, (h, w), &mut resized, (SIDE, SIDE));
                space_to_depth(&resized, out);
            }
            assert!(flat(found) == expected, "{h}x{w}");
        }
    }

    #[test]
    fn wrong_images_are_refused() {
        let grey = Tensor::zeros((1, 1, 8, 8), candle_core::DType::U8, &Device::Cpu).unwrap();
        let error = network_input(&grey).unwrap_err().to_string();
        assert!(error.contains("[N, 3, H, W]") && error.contains("[1, 1, 8, 8]"));
        let float = Tensor::zeros((1, 3, 8, 8), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(network_input(&float).is_err());
    }
}
