//! This module computes nearest upsampling by two and a 3x3 convolution as one 2x2 convolution of the small image.
//!
//! An output pixel of phase (a, b), its row and column modulo 2, reads 2x2 pixels of the small image by a kernel whose
//! taps are sums of the 3x3 kernel's: 16 products for a small pixel where the two steps take 36. This is how it is done
//! on a GPU (fused.cu), and in bf16; in f32 on the CPU Winograd's algorithm does better.

use autogan_kernels::ConvGeometry;
use autogan_kernels::conv::bias_gradient;
use candle_core::{Result, Tensor};

use super::conv2d::conv2d_strided;
use super::gpu::channel_sums;
use crate::cuda::{Argument, Floats, Gpu, int, over_elements, over_planes};
use crate::host::zeros;
use crate::operator::{Basis, Gradients, Keep, Operator, apply};
use crate::real::Real;

const OP: &str = "conv2d_up";

/// `conv2d(upsample_nearest(x, 2), w, b)`: `x [N, Ci, H, W]`, `w [Co, Ci, 3, 3]`, `b [Co]` → `[N, Co, 2H, 2W]`. The
/// caller has checked the shapes.
pub(super) fn conv2d_up(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    let ((n, _, h, width), (co, ci, _, _)) = (x.dims4()?, w.dims4()?);
    let weights = apply([w], (4 * co, ci, 2, 2), Weights { co, ci })?;
    let geometry = ConvGeometry { stride: 1, pad_h: 1, pad_w: 1 };
    let phases = conv2d_strided(x, &weights, None, geometry)?;
    apply([&phases, b], (n, co, 2 * h, 2 * width), Assemble { n, co, h, w: width })
}

/// The kernels of the phases from 3x3 kernels: `[co, ci, 3, 3]` → `[4·co, ci, 2, 2]`, in the order (a, b, o).
struct Weights {
    co: usize,
    ci: usize,
}

/// The tap of a phase that takes up tap `k` of the 3x3 kernel, in one direction.
fn tap(phase: usize, k: usize) -> usize {
    usize::from(if phase == 0 { k > 0 } else { k > 1 })
}

impl Weights {
    /// Calls `f(place among the 3x3 kernels, place among the phases)` for every tap and each of its four phases.
    fn places(&self, mut f: impl FnMut(usize, usize)) {
        let kernels = self.co * self.ci;
        for phase in 0..4 {
            for kernel in 0..kernels {
                for (u, v) in (0..9).map(|k| (k / 3, k % 3)) {
                    let to = tap(phase / 2, u) * 2 + tap(phase % 2, v);
                    f(kernel * 9 + u * 3 + v, (phase * kernels + kernel) * 4 + to);
                }
            }
        }
    }
}

impl Operator<1> for Weights {
    const NAME: &'static str = OP;
    const KEEP: Keep = Keep::Nothing;

    fn forward<T: Real>(&self, [w]: [&[T]; 1]) -> Result<Vec<T>> {
        let mut phases = zeros(16 * self.co * self.ci);
        self.places(|from, to| phases[to] += w[from]);
        Ok(phases)
    }

    fn backward<T: Real>(&self, Basis { dy, .. }: Basis<&[T], 1>) -> Gradients<T, 1> {
        let mut dw = zeros(9 * self.co * self.ci);
        self.places(|to, from| dw[to] += dy[from]);
        Ok([Some(dw)])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [w]: [Floats; 1], phases: Floats) -> Result<()> {
        let arguments = [w.read(), phases.write(), int(self.co)?, int(self.ci)?];
        over_elements(gpu, "phase_weights_forward", 16 * self.co * self.ci, &[&arguments])
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Basis<Floats, 1>, dw: [Floats; 1]) -> Result<()> {
        let arguments = [at.dy.read(), dw[0].write(), int(self.co)?, int(self.ci)?];
        over_elements(gpu, "phase_weights_backward", 9 * self.co * self.ci, &[&arguments])
    }
}

/// The image from the phases `[n, 4·co, h+1, w+1]` and a bias `[co]`: → `[n, co, 2h, 2w]`.
#[derive(Clone, Copy)]
struct Assemble {
    n: usize,
    co: usize,
    h: usize,
    w: usize,
}

impl Assemble {
    /// Calls `f(place in the output, place among the phases, channel)` for every pixel of the output.
    fn places(&self, mut f: impl FnMut(usize, usize, usize)) {
        let Self { n, co, h, w } = *self;
        for plane in 0..n * co {
            let (image, o) = (plane / co, plane % co);
            for (i, j) in (0..4 * h * w).map(|p| (p / (2 * w), p % (2 * w))) {
                let (a, b) = (i % 2, j % 2);
                let from = (image * 4 + a * 2 + b) * co + o;
                let at = (from * (h + 1) + i / 2 + a) * (w + 1) + j / 2 + b;
                f((plane * 2 * h + i) * 2 * w + j, at, o);
            }
        }
    }

    fn sizes(&self) -> Result<[Argument; 4]> {
        Ok([int(self.n)?, int(self.co)?, int(self.h)?, int(self.w)?])
    }
}

impl Operator<2> for Assemble {
    const NAME: &'static str = OP;
    const KEEP: Keep = Keep::Nothing;

    fn forward<T: Real>(&self, [phases, bias]: [&[T]; 2]) -> Result<Vec<T>> {
        let mut y = zeros(4 * self.n * self.co * self.h * self.w);
        self.places(|to, from, o| y[to] = phases[from] + bias[o]);
        Ok(y)
    }

    fn backward<T: Real>(&self, Basis { dy, wanted, .. }: Basis<&[T], 2>) -> Gradients<T, 2> {
        let Self { n, co, h, w } = *self;
        let dphases = wanted[0].then(|| {
            let mut dphases = zeros(n * 4 * co * (h + 1) * (w + 1));
            self.places(|from, to, _| dphases[to] = dy[from]);
            dphases
        });
        Ok([dphases, wanted[1].then(|| bias_gradient(dy, n, co, 4 * h * w))])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [phases, b]: [Floats; 2], y: Floats) -> Result<()> {
        let tensors = [phases.read(), b.read(), y.write()];
        let sizes = (self.n * self.co, 4 * self.h * self.w);
        over_planes(gpu, "phase_assemble_forward", sizes, &[&tensors, &self.sizes()?])
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Basis<Floats, 2>, dx: [Floats; 2]) -> Result<()> {
        let Self { n, co, h, w } = *self;
        if at.wanted[0] {
            let planes = (n * 4 * co, (h + 1) * (w + 1));
            let tensors = [at.dy.read(), dx[0].write()];
            over_planes(gpu, "phase_assemble_backward", planes, &[&tensors, &self.sizes()?])?;
        }
        if at.wanted[1] {
            channel_sums(gpu, at.dy, dx[1], (n, co, 4 * h * w))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;
    use crate::{conv2d, gradients, scaled_mean, tanh, upsample_nearest};

    /// The output and the gradients of x, w and b behind a function that is not linear.
    fn run(f: impl Fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>) -> Vec<Vec<f64>> {
        let var = |shape: &[usize], step: f64| {
            let count: usize = shape.iter().product();
            let values: Vec<f64> = (0..count).map(|i| (i as f64 * step).sin()).collect();
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
            Var::from_tensor(&tensor.to_dtype(DType::F64).unwrap()).unwrap()
        };
        let (x, w, b) = (var(&[2, 3, 3, 5], 0.7), var(&[4, 3, 3, 3], 1.3), var(&[4], 0.9));
        let mut outputs = Vec::new();
        let (_, gradients) = gradients(|| {
            let y = f(&x, &w, &b)?;
            outputs.push(y.clone());
            scaled_mean(&tanh(&y)?, 10.0)
        })
        .unwrap();
        use crate::GradientOf;
        outputs.extend([&x, &w, &b].map(|v| gradients.gradient_of(v).unwrap().clone()));
        outputs.iter().map(|t| t.flatten_all().unwrap().to_vec1().unwrap()).collect()
    }

    #[test]
    fn phases_are_the_two_steps_that_they_replace() {
        let found = run(conv2d_up);
        let expected = run(|x, w, b| conv2d(&upsample_nearest(x, 2)?, w, Some(b)));
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.len(), expected.len());
            for (f, e) in found.iter().zip(expected) {
                assert!((f - e).abs() < 1e-12, "expected {e}, found {f}");
            }
        }
    }
}
