//! The protocols that surround the network in the scorers that people compare with.

use std::fmt;
use std::str::FromStr;

use autogan_ops::{PixelScale, ResizeRule, resize_bilinear};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{SIDE, resize};
use crate::extractor::check_images;
use crate::{Error, InceptionScoreConfig, Result};

/// Resize, normalisation and Inception Score rules of a known scorer.
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

    /// Splits and shuffle of the Inception Score: those of torch-fidelity for all presets, as the
    /// other two scorers have none of their own.
    #[must_use]
    pub fn inception_score(self) -> InceptionScoreConfig {
        InceptionScoreConfig::torch_fidelity()
    }

    /// One image `u8 [3, h, w]` to the network's input `f32 [3, 299, 299]`, in `out`.
    pub(super) fn prepare(self, image: &[u8], (h, w): (usize, usize), out: &mut [f32]) {
        let source: Vec<f32> = image.iter().map(|v| f32::from(*v)).collect();
        let planes = source.chunks_exact(h * w);
        for (plane, out) in planes.zip(out.chunks_exact_mut(SIDE * SIDE)) {
            self.prepare_plane(plane, (h, w), out);
        }
    }

    /// Images `u8 [N, 3, H, W]`, anywhere, to the network's input `f32 [N, 3, 299, 299]` on `device`, with the values of
    /// [`Preset::prepare`]. All but [`Preset::Clean`] resize there; that one does it on the CPU, where its filters are
    /// summed in `f64`, and its input is transferred.
    ///
    /// # Errors
    /// As [`check_images`], or when an operator fails.
    pub(super) fn prepare_on(self, images: &Tensor, device: &Device) -> Result<Tensor> {
        let (n, h, w) = check_images(images)?;
        let on_device = |rule: ResizeRule, pixels: PixelScale| {
            let images = images.to_device(device)?;
            Ok(resize_bilinear(&images, (SIDE, SIDE), rule, pixels)?)
        };
        let (divide, shift) = (255.0, -1.0);
        match self {
            Preset::TorchFidelity => {
                let pixels = PixelScale { scale: 1.0 / 128.0, shift, ..PixelScale::NONE };
                on_device(ResizeRule::Tf1, pixels)
            }
            Preset::PytorchFid => {
                let pixels = PixelScale { divide, scale: 2.0, shift, ..PixelScale::NONE };
                on_device(ResizeRule::HalfPixel, pixels)
            }
            Preset::Clean => {
                let bytes = images.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<u8>()?;
                let mut all = vec![0f32; n * 3 * SIDE * SIDE];
                let outs = all.par_chunks_exact_mut(3 * SIDE * SIDE);
                outs.zip(bytes.par_chunks_exact(3 * h * w)).for_each(|(out, image)| {
                    self.prepare(image, (h, w), out);
                });
                let all = Tensor::from_vec(all, (n, 3, SIDE, SIDE), &Device::Cpu)?;
                Ok(all.to_device(device)?)
            }
        }
    }

    fn prepare_plane(self, plane: &[f32], from: (usize, usize), out: &mut [f32]) {
        let to = (SIDE, SIDE);
        match self {
            Preset::TorchFidelity => {
                resize::bilinear_tf1(plane, from, out, to);
                out.iter_mut().for_each(|v| *v = (*v - 128.0) / 128.0);
            }
            Preset::PytorchFid => {
                let unit: Vec<f32> = plane.iter().map(|v| v / 255.0).collect();
                resize::bilinear_half_pixel(&unit, from, out, to);
                out.iter_mut().for_each(|v| *v = 2.0 * *v - 1.0);
            }
            Preset::Clean => {
                resize::bicubic_pillow(plane, from, out, to);
                out.iter_mut().for_each(|v| *v = (v.clamp(0.0, 255.0) - 128.0) / 128.0);
            }
        }
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
        Preset::ALL.into_iter().find(|preset| preset.name() == text).ok_or_else(|| Error::Config {
            what: "preset",
            expected: "torch-fidelity, pytorch-fid or clean",
            found: text.to_string(),
        })
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

    #[test]
    fn operators_prepare_with_the_same_bits() {
        for (h, w) in [(32, 32), (7, 300), (299, 299), (400, 1)] {
            let bytes: Vec<u8> = (0..2 * 3 * h * w).map(|i| (i * i * 31 % 256) as u8).collect();
            let images = Tensor::from_slice(&bytes, (2, 3, h, w), &Device::Cpu).unwrap();
            for preset in Preset::ALL {
                let found = preset.prepare_on(&images, &Device::Cpu).unwrap();
                let found = found.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                let mut expected = vec![9f32; 2 * 3 * SIDE * SIDE];
                let outs = expected.chunks_exact_mut(3 * SIDE * SIDE);
                for (out, image) in outs.zip(bytes.chunks_exact(3 * h * w)) {
                    preset.prepare(image, (h, w), out);
                }
                assert!(found == expected, "{preset} of {h}x{w}");
            }
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
            let mut out = vec![9f32; 3 * SIDE * SIDE];
            preset.prepare(&image, (2, 3), &mut out);
            for (plane, value) in out.chunks_exact(SIDE * SIDE).zip(expected) {
                assert!(plane.iter().all(|v| (v - value).abs() < 1e-5), "{preset}");
            }
        }
    }
}
