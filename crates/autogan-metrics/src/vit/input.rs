//! An [`Input`] makes a network's input of images of any size.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::VitPlan;
use super::pillow::Bicubic;
use crate::Result;
use crate::extractor::check_images;

/// How images become the input `[N, 3, side, side]`.
#[derive(Debug)]
pub(super) struct Input {
    side: usize,
    crop: bool,
    /// The value of each byte, for red, green and blue.
    values: [Vec<f32>; 3],
}

impl Input {
    pub fn new(plan: &VitPlan) -> Self {
        let (mean, std) = plan.family.normalisation();
        let value = |c: usize| {
            (0..=255u8).map(|byte| (f32::from(byte) / 255.0 - mean[c]) / std[c]).collect()
        };
        let (side, crop) = (plan.side, plan.family.crops());
        Self { side, crop, values: std::array::from_fn(value) }
    }

    /// The input on the CPU, `f32`, of images `u8` `[N, 3, H, W]` on any device.
    pub fn prepare(&self, images: &Tensor) -> Result<Tensor> {
        let (n, h, w) = check_images(images)?;
        let bytes = images.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<u8>()?;
        let square = h.min(w);
        let (top, left) = ((h - square) / 2, (w - square) / 2);
        let seen = if self.crop { (square, square) } else { (h, w) };
        let resize = Bicubic::new(seen, (self.side, self.side));
        let mut out = vec![0f32; n * 3 * self.side * self.side];
        let outs = out.par_chunks_exact_mut(self.side * self.side);
        outs.zip(bytes.par_chunks_exact(h * w)).enumerate().for_each(|(i, (out, plane))| {
            let resized = if self.crop && h != w {
                let rows = plane.chunks_exact(w).skip(top).take(square);
                resize.resize(
                    &rows.flat_map(|row| &row[left..][..square]).copied().collect::<Vec<u8>>(),
                )
            } else {
                resize.resize(plane)
            };
            let values = &self.values[i % 3];
            out.iter_mut().zip(resized).for_each(|(v, byte)| *v = values[usize::from(byte)]);
        });
        Ok(Tensor::from_vec(out, (n, 3, self.side, self.side), &Device::Cpu)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vit::{CLIP_VIT_B32, DINOV2_VITS14};

    #[test]
    fn clip_sees_the_middle_square_and_dinov2_the_whole() {
        // 4 rows and 7 columns: the middle square begins at column (7 - 4) / 2 = 1. Then 7 rows and 4 columns.
        let line = [9u8, 100, 100, 100, 100, 9, 9];
        let wide: Vec<u8> = (0..3 * 4).flat_map(|_| line).collect();
        let tall: Vec<u8> = (0..3).flat_map(|_| line.map(|v| [v; 4])).flatten().collect();
        let images = [(wide, (1, 3, 4, 7)), (tall, (1, 3, 7, 4))]
            .map(|(bytes, size)| Tensor::from_vec(bytes, size, &Device::Cpu).unwrap());
        let blue = |plan: &VitPlan, images: &Tensor| {
            let input = Input::new(plan).prepare(images).unwrap();
            assert_eq!(input.dims(), [1, 3, plan.side, plan.side]);
            input.flatten_all().unwrap().to_vec1::<f32>().unwrap().split_off(2 * 224 * 224)
        };
        let expected = (100.0 / 255.0 - 0.408_210_73) / 0.275_777_1;
        for images in &images {
            assert!(blue(&CLIP_VIT_B32, images).iter().all(|v| *v == expected));
            // The border, which a cubic makes a little darker.
            assert!(blue(&DINOV2_VITS14, images)[0] <= (9.0 / 255.0 - 0.406) / 0.225);
        }
    }
}
