//! A [`Norm`] is a batch norm or instance norm: an affine map of each plane, with an optional ReLU, and its gradient.

use rayon::prelude::*;

use crate::memory::{filled, write};
use crate::slices::{for_pieces, sum_by, sums_by};
use crate::{Activation, Real};

/// The numbers of images, channels and pixels.
pub type Dims = (usize, usize, usize);

/// A norm without its statistics.
#[derive(Clone, Copy, Debug)]
pub struct Norm {
    /// Sizes of the input.
    pub dims: Dims,
    /// One group for each plane rather than for each channel.
    pub per_plane: bool,
    /// What is added to each variance.
    pub eps: f64,
    /// The statistics are those of the input, so the gradient flows through them.
    pub own: bool,
    /// The function that follows the norm.
    pub activation: Activation,
}

impl Norm {
    /// The number of groups that are normalised together: channels of the batch, or single planes.
    pub fn groups(&self) -> usize {
        let (n, c, _) = self.dims;
        if self.per_plane { n * c } else { c }
    }
}

/// A norm with mean and spread of its groups, on the CPU.
#[derive(Clone, Debug)]
pub struct Normaliser {
    norm: Norm,
    mean: Vec<f64>,
    inv_std: Vec<f64>,
}

/// A norm's weight and bias by channel; none for 1 and 0.
pub type Parameters<'a, T> = Option<(&'a [T], &'a [T])>;

impl Normaliser {
    /// The norm with mean and biased variance of each group, given or measured.
    pub fn new(norm: Norm, mean: Vec<f64>, var: &[f64]) -> Self {
        let inv_std = var.iter().map(|v| 1.0 / (v + norm.eps).sqrt()).collect();
        Self { norm, mean, inv_std }
    }

    /// A ReLU alone, without a norm.
    pub fn relu(dims: Dims) -> Self {
        let activation = Activation::Relu;
        let norm = Norm { dims, per_plane: false, eps: 0.0, own: false, activation };
        Self::new(norm, vec![0.0; dims.1], &vec![1.0; dims.1])
    }

    /// Whether the gradient of the input depends on [`Self::sums`].
    pub fn needs_sums(&self) -> bool {
        self.norm.own
    }

    fn group(&self, plane: usize) -> usize {
        if self.norm.per_plane { plane } else { plane % self.norm.dims.1 }
    }

    /// A plane's factor and shift: `y = a·x + b`.
    pub fn factors<T: Real>(&self, plane: usize, parameters: Parameters<'_, T>) -> (T, T) {
        let (group, channel) = (self.group(plane), plane % self.norm.dims.1);
        let (weight, bias) = match parameters {
            Some((weight, bias)) => (weight[channel].wide(), bias[channel].wide()),
            None => (1.0, 0.0),
        };
        let a = weight * self.inv_std[group];
        (T::narrow(a), T::narrow(bias - self.mean[group] * a))
    }

    /// Whether all planes of a channel have the same factors.
    pub fn by_channel(&self) -> bool {
        !self.norm.per_plane
    }

    /// Returns `of(plane)` for any plane; where planes of a channel share it, it is computed once for each channel.
    fn for_planes<V: Copy + Sync>(
        &self,
        of: impl Fn(usize) -> V + Sync,
    ) -> impl Fn(usize) -> V + Sync {
        let c = self.norm.dims.1;
        let shared: Option<Vec<V>> = self.by_channel().then(|| (0..c).map(&of).collect());
        move |plane| shared.as_ref().map_or_else(|| of(plane), |shared| shared[plane % c])
    }

    /// Normalises `x`.
    pub fn forward<T: Real>(&self, x: &[T], parameters: Parameters<'_, T>) -> Vec<T> {
        let pixels = self.norm.dims.2;
        let factors = self.for_planes(|plane| self.factors(plane, parameters));
        filled(
            x.len(),
            pixels,
            #[inline(always)]
            |plane, out| {
                let (a, b) = factors(plane);
                let affine = x[plane * pixels..].iter().map(|&v| v * a + b);
                // Two loops, so that neither asks for the activation.
                match self.norm.activation {
                    Activation::Linear => write(out, affine),
                    Activation::Relu => write(out, affine.map(|v| Activation::Relu.apply(v))),
                }
            },
        )
    }

    /// Sums over each group the gradient `dy` behind the activation, and `dy` times x̂: for batch norm the gradients of
    /// bias and weight.
    pub fn sums<T: Real>(
        &self,
        x: &[T],
        dy: &[T],
        parameters: Parameters<'_, T>,
    ) -> (Vec<f64>, Vec<f64>) {
        let (n, c, pixels) = self.norm.dims;
        let relu = self.norm.activation == Activation::Relu;
        (0..self.mean.len())
            .into_par_iter()
            .map(|group| {
                let (mut sum, mut dot) = (0.0, 0.0);
                let (first, step) = if self.norm.per_plane { (group, n * c) } else { (group, c) };
                let (a, b) = self.factors(first, parameters);
                for plane in (first..n * c).step_by(step) {
                    let range = plane * pixels..(plane + 1) * pixels;
                    let (x, dy) = (&x[range.clone()], &dy[range]);
                    let [s, d] = sums_by(
                        x,
                        dy,
                        #[inline(always)]
                        |x, d| {
                            let open = !relu || x * a + b > T::zero();
                            let d = if open { d.wide() } else { 0.0 };
                            [d, d * (x.wide() - self.mean[group])]
                        },
                    );
                    sum += s;
                    dot += d;
                }
                (sum, dot * self.inv_std[group])
            })
            .unzip()
    }

    /// The gradient of the input, written over the gradient `dy` of the output.
    ///
    /// `dx = scale · (dy − mean(dy) − x̂ · mean(dy · x̂)) = scale·dy + slope·x + shift`.
    pub fn input_gradient<T: Real>(
        &self,
        x: &[T],
        mut dy: Vec<T>,
        parameters: Parameters<'_, T>,
        (sum, dot): (&[f64], &[f64]),
    ) -> Vec<T> {
        let (n, c, pixels) = self.norm.dims;
        let count = (if self.norm.per_plane { pixels } else { n * pixels }) as f64;
        let relu = self.norm.activation == Activation::Relu;
        let coefficients = self.for_planes(|plane| {
            let group = self.group(plane);
            let (a, b) = self.factors(plane, parameters);
            let (slope, shift) = if self.norm.own {
                let scale =
                    parameters.map_or(1.0, |(w, _)| w[plane % c].wide()) * self.inv_std[group];
                let slope = -scale * self.inv_std[group] * dot[group] / count;
                (slope, -scale * sum[group] / count - slope * self.mean[group])
            } else {
                (0.0, 0.0)
            };
            [a, b, T::narrow(slope), T::narrow(shift)]
        });
        for_pieces(
            &mut dy,
            pixels,
            #[inline(always)]
            |plane, out| {
                let [a, b, slope, shift] = coefficients(plane);
                for (d, &v) in out.iter_mut().zip(&x[plane * pixels..][..pixels]) {
                    let through = if !relu || v * a + b > T::zero() { *d } else { T::zero() };
                    *d = through * a + v * slope + shift;
                }
            },
        );
        dy
    }
}

/// Mean and biased variance of each channel of a batch, or of each plane, in two passes.
pub fn statistics<T: Real>(x: &[T], (n, c, pixels): Dims, per_plane: bool) -> (Vec<f64>, Vec<f64>) {
    let (groups, step) = if per_plane { (n * c, n * c) } else { (c, c) };
    let count = (if per_plane { pixels } else { n * pixels }) as f64;
    (0..groups)
        .into_par_iter()
        .map(|group| {
            let planes = || (group..n * c).step_by(step).map(|p| &x[p * pixels..][..pixels]);
            let sum = |f: &(dyn Fn(&[T]) -> f64 + Sync)| planes().map(f).sum::<f64>();
            let mean = sum(&|p| sum_by(p, |v| v)) / count;
            let var = sum(&|p| sum_by(p, |v| (v - mean) * (v - mean))) / count;
            (mean, var)
        })
        .unzip()
}
