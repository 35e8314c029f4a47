//! A [`Preset`] is one of the protocols that surround the network in the scorers that people compare with.

use std::fmt;
use std::str::FromStr;

use autogan_ops::{PixelScale, ResizeRule, resize_bilinear};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{SIDE, resize};
use crate::extractor::check_images;
use crate::{Error, Result};

/// How the names of Inception's extractors begin; the preset follows.
pub const INCEPTION: &str = "inception-v3-";

/// Resize and normalisation of a known scorer.
///
/// Scores of different presets differ by more than their last digits and are not to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// torch-fidelity, and TensorFlow's original scorers: TensorFlow 1 bilinear on 0..255, then
    /// `(x − 128) / 128`.
    TorchFidelity,
    /// pytorch-fid: half-pixel bilinear on 0..1, then `2x − 1`.
    PytorchFid,
    /// clean-fid: Pillow's antialiased bicubic per channel on floats, clipped to 0..255, then
    /// `(x − 128) / 128`.
    Clean,
}

impl Preset {
    /// All presets.
    pub const ALL: [Preset; 3] = [Preset::TorchFidelity, Preset::PytorchFid, Preset::Clean];

    /// Name on the command line and in stored statistics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Preset::TorchFidelity => "torch-fidelity",
            Preset::PytorchFid => "pytorch-fid",
            Preset::Clean => "clean",
        }
    }

    /// Name of the extractor whose images are prepared so, such as `inception-v3-clean`.
    #[must_use]
    pub fn extractor_name(self) -> String {
        format!("{INCEPTION}{self}")
    }

    /// Turns images `u8 [N, 3, H, W]`, on any device, into the network's input `f32 [N, 3, 299, 299]` on `device`. All
    /// but [`Preset::Clean`] resize there; that one does it on the CPU, where its filters are summed in `f64`, and its
    /// input is transferred.
    pub(super) fn prepare(self, images: &Tensor, device: &Device) -> Result<Tensor> {
        let (n, h, w) = check_images(images)?;
        let (divide, shift) = (255.0, -1.0);
        let (rule, pixels) = match self {
            Preset::TorchFidelity => {
                (ResizeRule::Tf1, PixelScale { scale: 1.0 / 128.0, shift, ..PixelScale::NONE })
            }
            Preset::PytorchFid => {
                let pixels = PixelScale { divide, scale: 2.0, shift, ..PixelScale::NONE };
                (ResizeRule::HalfPixel, pixels)
            }
            Preset::Clean => {
                let bytes = images.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<u8>()?;
                let mut all = vec![0f32; n * 3 * SIDE * SIDE];
                let outs = all.par_chunks_exact_mut(SIDE * SIDE);
                outs.zip(bytes.par_chunks_exact(h * w)).for_each(|(out, plane)| {
                    let plane: Vec<f32> = plane.iter().map(|v| f32::from(*v)).collect();
                    resize::bicubic_pillow(&plane, (h, w), out, (SIDE, SIDE));
                    out.iter_mut().for_each(|v| *v = (v.clamp(0.0, 255.0) - 128.0) / 128.0);
                });
                let all = Tensor::from_vec(all, (n, 3, SIDE, SIDE), &Device::Cpu)?;
                return Ok(all.to_device(device)?);
            }
        };
        Ok(resize_bilinear(&images.to_device(device)?, (SIDE, SIDE), rule, pixels)?)
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Preset::ALL.into_iter().find(|preset| preset.name() == text);
        found.ok_or_else(|| Error::config("preset", "torch-fidelity, pytorch-fid or clean", text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for preset in Preset::ALL {
            assert_eq!(preset.to_string().parse::<Preset>().unwrap(), preset);
        }
        let error = "tf".parse::<Preset>().unwrap_err().to_string();
        assert!(error.contains("preset is tf, expected torch-fidelity"), "{error}");
    }

    fn prepared(preset: Preset, bytes: &[u8], (h, w): (usize, usize)) -> Vec<f32> {
        let shape = (bytes.len() / (3 * h * w), 3, h, w);
        let images = Tensor::from_slice(bytes, shape, &Device::Cpu).unwrap();
        let found = preset.prepare(&images, &Device::Cpu).unwrap();
        found.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn operators_prepare_with_the_bits_of_plain_loops() {
        for (h, w) in [(32, 32), (7, 300), (299, 299), (400, 1)] {
            let bytes: Vec<u8> = (0..2 * 3 * h * w).map(|i| (i * i * 31 % 256) as u8).collect();
            let floats: Vec<f32> = bytes.iter().map(|v| f32::from(*v)).collect();
            let mut expected = vec![9f32; 2 * 3 * SIDE * SIDE];
            let (from, to) = ((h, w), (SIDE, SIDE));
            resize::bilinear(&floats, from, &mut expected, to, ResizeRule::Tf1);
            expected.iter_mut().for_each(|v| *v = (*v - 128.0) / 128.0);
            let found = prepared(Preset::TorchFidelity, &bytes, from);
            assert!(found == expected, "torch-fidelity of {h}x{w}");

            let unit: Vec<f32> = floats.iter().map(|v| v / 255.0).collect();
            resize::bilinear(&unit, from, &mut expected, to, ResizeRule::HalfPixel);
            expected.iter_mut().for_each(|v| *v = 2.0 * *v - 1.0);
            let found = prepared(Preset::PytorchFid, &bytes, from);
            assert!(found == expected, "pytorch-fid of {h}x{w}");

            let planes = floats.chunks_exact(h * w).zip(expected.chunks_exact_mut(SIDE * SIDE));
            planes.for_each(|(plane, out)| resize::bicubic_pillow(plane, from, out, to));
            expected.iter_mut().for_each(|v| *v = (v.clamp(0.0, 255.0) - 128.0) / 128.0);
            assert!(prepared(Preset::Clean, &bytes, from) == expected, "clean of {h}x{w}");
        }
    }

    #[test]
    fn grey_levels_keep_their_place_in_each_scale() {
        let image = [0u8, 255, 128].map(|v| [v; 6]).concat();
        for (preset, expected) in [
            (Preset::TorchFidelity, [-1.0, 127.0 / 128.0, 0.0]),
            (Preset::PytorchFid, [-1.0, 1.0, 256.0 / 255.0 - 1.0]),
            (Preset::Clean, [-1.0, 127.0 / 128.0, 0.0]),
        ] {
            let out = prepared(preset, &image, (2, 3));
            for (plane, value) in out.chunks_exact(SIDE * SIDE).zip(expected) {
                assert!(plane.iter().all(|v| (v - value).abs() < 1e-5), "{preset}");
            }
        }
    }
}
