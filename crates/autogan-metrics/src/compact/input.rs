//! [`network_input`] turns `u8` images of any size into the network's input.
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

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::inception::resize::bilinear;

    /// Length of one image at [`SIDE`].
    const LEN: usize = 3 * SIDE * SIDE;

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
    fn operators_give_the_bits_of_plain_loops() {
        for (h, w) in [(32, 32), (8, 8), (1, 5), (48, 31)] {
            let bytes: Vec<u8> = (0..2 * 3 * h * w).map(|i| (i * i * 31 % 256) as u8).collect();
            let images = Tensor::from_slice(&bytes, (2, 3, h, w), &Device::Cpu).unwrap();
            let flat = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let found = network_input(&images).unwrap();
            assert_eq!(found.dims(), [2, INPUT_CHANNELS, SIDE / 2, SIDE / 2]);
            let scaled = |b: &u8| (f32::from(*b) - 127.5) / 127.5;
            let planes: Vec<f32> = bytes.iter().map(scaled).collect();
            let mut resized = vec![0f32; 2 * LEN];
            bilinear(&planes, (h, w), &mut resized, (SIDE, SIDE), ResizeRule::HalfPixel);
            let half = SIDE / 2;
            let squares =
                Tensor::from_vec(resized, (2, 3, half, 2, half, 2), &Device::Cpu).unwrap();
            let expected = squares.permute((0, 1, 3, 5, 2, 4)).unwrap();
            assert!(flat(found) == flat(expected), "{h}x{w}");
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
