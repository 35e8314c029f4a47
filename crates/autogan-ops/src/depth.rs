//! [`space_to_depth`] turns squares of pixels into channels, for evaluation only: no gradients.

use autogan_kernels::memory::{filled, write, write_pieces};
use candle_core::{Result, Tensor, bail};

use crate::cuda::{Floats, Gpu, int, over_elements};
use crate::evaluated::{Evaluation, apply};

/// Each 2x2 square of pixels as four channels: `[N, C, H, W]` → `[N, 4·C, H/2, W/2]`, f32; channel `c·4 + dy·2 + dx` holds
/// the pixels `(2i + dy, 2j + dx)` of channel `c`. It takes no part in gradients.
///
/// # Errors
/// When the input is not 4-dimensional f32 with even sides, or a gradient of it is wanted.
pub fn space_to_depth(x: &Tensor) -> Result<Tensor> {
    let (shape, op) = SpaceToDepth::new(x)?;
    apply(x, &shape, op)
}

/// [`space_to_depth`] from candle's elementary operators.
///
/// # Errors
/// As [`space_to_depth`], which also refuses gradients.
pub fn space_to_depth_ref(x: &Tensor) -> Result<Tensor> {
    let (shape, _) = SpaceToDepth::new(x)?;
    let [n, channels, h, w] = shape;
    let squares = x.reshape(&[n, channels / 4, h, 2, w, 2][..])?;
    squares.permute([0, 1, 3, 5, 2, 4])?.contiguous()?.reshape(&shape)
}

struct SpaceToDepth {
    planes: usize,
    h: usize,
    w: usize,
}

impl SpaceToDepth {
    /// Returns the shape of the output, and the operator.
    fn new(x: &Tensor) -> Result<([usize; 4], Self)> {
        let (n, c, h, w) = x.dims4()?;
        if h % 2 + w % 2 > 0 {
            bail!("space_to_depth: expected even sides, found {h}x{w}");
        }
        Ok(([n, 4 * c, h / 2, w / 2], Self { planes: n * c, h, w }))
    }
}

impl Evaluation for SpaceToDepth {
    const NAME: &'static str = "space_to_depth";
    type From = f32;
    type To = f32;

    fn forward(&self, x: &[f32]) -> Vec<f32> {
        let (ho, wo) = (self.h / 2, self.w / 2);
        filled(x.len(), ho * wo, |channel, plane| {
            let (c, dy, dx) = (channel / 4, channel / 2 % 2, channel % 2);
            let from = &x[c * self.h * self.w..][..self.h * self.w];
            write_pieces(plane, wo, |i, line| {
                let from = &from[(2 * i + dy) * self.w..][..self.w];
                write(line, from.chunks_exact(2).map(|pair| pair[dx]))
            })
        })
    }

    fn launch(&self, gpu: &dyn Gpu, x: Floats, y: Floats) -> Result<()> {
        let Self { planes, h, w } = *self;
        let arguments = [x.read(), y.write(), int(planes)?, int(h)?, int(w)?];
        over_elements(gpu, "space_to_depth", planes * h * w, &[&arguments])
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn pixels_go_where_the_reference_has_them() {
        for (n, c, h, w) in [(1, 1, 2, 2), (2, 3, 4, 6), (3, 1, 8, 2)] {
            let values: Vec<f32> = (0..n * c * h * w).map(|i| i as f32).collect();
            let x = Tensor::from_vec(values, (n, c, h, w), &Device::Cpu).unwrap();
            let flat = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let (found, expected) = (space_to_depth(&x).unwrap(), space_to_depth_ref(&x).unwrap());
            assert_eq!(found.dims(), [n, 4 * c, h / 2, w / 2]);
            assert_eq!(flat(found), flat(expected));
        }
        let odd = Tensor::zeros((1, 1, 2, 3), DType::F32, &Device::Cpu).unwrap();
        let error = space_to_depth(&odd).unwrap_err().to_string();
        assert!(error.contains("even sides, found 2x3"), "{error}");
    }

    #[test]
    fn a_square_by_hand() {
        let x = Tensor::new(&[[[[1f32, 2.0], [3.0, 4.0]]]], &Device::Cpu).unwrap();
        let y = space_to_depth(&x).unwrap();
        assert_eq!(y.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0]);
    }
}
