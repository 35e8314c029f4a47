//! This module holds the layers of a transformer, on tokens `[rows, width]` of `f32`.
//!
//! On the CPU they are loops over slices on all threads, whose pieces follow from the sizes alone. On a GPU they are
//! operators of candle. Both forms compute the same, up to rounding.

use autogan_kernels::{Mat, gemm};
use autogan_ops as ops;
use candle_core::cpu::erf::erf_f32;
use candle_core::{D, Result, Tensor};
use candle_nn::ops::{layer_norm, sigmoid, softmax_last_dim};
use rayon::prelude::*;

/// Elements in a piece of work.
const PIECE: usize = 1 << 14;

/// A fully connected layer.
#[derive(Debug)]
pub(super) struct Linear {
    /// `[outputs, inputs]`.
    pub weight: Tensor,
    /// `[outputs]`.
    pub bias: Option<Tensor>,
}

impl Linear {
    /// `x [rows, inputs]` → `[rows, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.device().is_cpu() {
            return ops::linear(x, &self.weight, self.bias.as_ref());
        }
        // On a GPU the large products of these networks are candle's, by cuBLAS.
        let y = x.matmul(&self.weight.t()?)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

/// A norm over the channels of each token.
#[derive(Debug)]
pub(super) struct LayerNorm {
    pub weight: Tensor,
    pub bias: Tensor,
    pub epsilon: f32,
}

impl LayerNorm {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if !x.device().is_cpu() {
            return layer_norm(x, &self.weight, &self.bias, self.epsilon);
        }
        let (weight, bias) = (self.weight.to_vec1::<f32>()?, self.bias.to_vec1::<f32>()?);
        let width = weight.len() as f32;
        rows(x, |x, y| {
            let mean = sum(x, |v| v) / width;
            let variance = sum(x, |v| (v - mean) * (v - mean)) / width;
            let scale = (variance + self.epsilon).sqrt().recip();
            for ((y, x), (weight, bias)) in y.iter_mut().zip(x).zip(weight.iter().zip(&bias)) {
                *y = (x - mean) * scale * weight + bias;
            }
        })
    }
}

/// The activation of a block.
#[derive(Debug, Clone, Copy)]
pub(super) enum Activation {
    /// `x · Φ(x)` by the error function.
    Gelu,
    /// `x · σ(1.702 x)`.
    QuickGelu,
}

impl Activation {
    pub fn forward(self, x: &Tensor) -> Result<Tensor> {
        match (self, x.device().is_cpu()) {
            (Self::Gelu, false) => x.gelu_erf(),
            (Self::QuickGelu, false) => x * sigmoid(&(x * 1.702)?)?,
            (Self::Gelu, true) => {
                map(x, |x| 0.5 * x * (1.0 + erf_f32(x * std::f32::consts::FRAC_1_SQRT_2)))
            }
            (Self::QuickGelu, true) => map(x, |x| x / (1.0 + (-1.702 * x).exp())),
        }
    }
}

/// Attention of the tokens of each of `n` images to each other: queries, keys and values `[n · tokens, 3 · width]` in
/// this order → `[n · tokens, width]`.
pub(super) fn attention(qkv: &Tensor, n: usize, heads: usize) -> Result<Tensor> {
    match qkv.device().is_cpu() {
        true => attention_on_cpu(qkv, n, heads),
        false => attention_by_tensors(qkv, n, heads),
    }
}

fn attention_on_cpu(qkv: &Tensor, n: usize, heads: usize) -> Result<Tensor> {
    let (rows, columns) = qkv.dims2()?;
    let (tokens, width) = (rows / n, columns / 3);
    let d = width / heads;
    let all = qkv.flatten_all()?.to_vec1::<f32>()?;
    let scale = (d as f32).sqrt().recip();
    // Of one head in one image: [tokens, d].
    let head = |i: usize| {
        let part =
            |which: usize| &all[i / heads * tokens * columns + which * width + i % heads * d..];
        let seen = Mat::strided(tokens, d, columns);
        let square = Mat::new(tokens, tokens);
        let mut scores = vec![0f32; tokens * tokens];
        gemm(&mut scores, square, part(0), seen, part(1), seen.t(), false);
        scores.chunks_exact_mut(tokens).for_each(|row| softmax(row, scale));
        let mut out = vec![0f32; tokens * d];
        gemm(&mut out, Mat::new(tokens, d), &scores, square, part(2), seen, false);
        out
    };
    let found: Vec<Vec<f32>> = (0..n * heads).into_par_iter().map(head).collect();
    let mut out = vec![0f32; rows * width];
    for (i, found) in found.iter().enumerate() {
        let image = &mut out[i / heads * tokens * width..][..tokens * width];
        for (row, found) in image.chunks_exact_mut(width).zip(found.chunks_exact(d)) {
            row[i % heads * d..][..d].copy_from_slice(found);
        }
    }
    Tensor::from_vec(out, (rows, width), qkv.device())
}

fn attention_by_tensors(qkv: &Tensor, n: usize, heads: usize) -> Result<Tensor> {
    let (rows, columns) = qkv.dims2()?;
    let (tokens, d) = (rows / n, columns / 3 / heads);
    let parts = qkv.reshape((n, tokens, 3, heads, d))?.permute((2, 0, 3, 1, 4))?;
    let part = |which: usize| parts.get(which)?.contiguous();
    let (q, k, v) = (part(0)?, part(1)?, part(2)?);
    let scores = (q.matmul(&k.t()?)? * (d as f64).sqrt().recip())?;
    let mixed = softmax_last_dim(&scores)?.matmul(&v)?;
    mixed.transpose(1, 2)?.reshape((rows, heads * d))
}

/// The exponentials of a row times `scale`, divided by their sum.
fn softmax(row: &mut [f32], scale: f32) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|v| *v = ((*v - largest) * scale).exp());
    let total = sum(row, |v| v).recip();
    row.iter_mut().for_each(|v| *v *= total);
}

/// The sum of `f` of all values, in eight parts, which vectors add.
fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut parts = [0f32; 8];
    for values in values.chunks(8) {
        parts.iter_mut().zip(values).for_each(|(part, v)| *part += f(*v));
    }
    parts.iter().sum()
}

/// Each row `[width]` of `x` by itself.
fn rows(x: &Tensor, f: impl Fn(&[f32], &mut [f32]) + Sync) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    let from = x.flatten_all()?.to_vec1::<f32>()?;
    let mut out = vec![0f32; from.len()];
    let piece = (PIECE / width).max(1) * width;
    out.par_chunks_mut(piece).zip(from.par_chunks(piece)).for_each(|(out, from)| {
        out.chunks_exact_mut(width).zip(from.chunks_exact(width)).for_each(|(y, x)| f(x, y));
    });
    Tensor::from_vec(out, x.dims(), x.device())
}

/// Each element of `x` by itself.
fn map(x: &Tensor, f: impl Fn(f32) -> f32 + Sync) -> Result<Tensor> {
    let mut values = x.flatten_all()?.to_vec1::<f32>()?;
    values.par_chunks_mut(PIECE).for_each(|piece| piece.iter_mut().for_each(|v| *v = f(*v)));
    Tensor::from_vec(values, x.dims(), x.device())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn waves(rows: usize, columns: usize) -> Tensor {
        let values: Vec<f32> =
            (0..rows * columns).map(|i| 3.0 * (i as f32 * 0.37 + 1.0).sin()).collect();
        Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap()
    }

    fn gap(a: &Tensor, b: &Tensor) -> f32 {
        assert_eq!(a.dims(), b.dims());
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn loops_equal_the_operators_of_a_gpu() {
        let qkv = waves(2 * 13, 3 * 24);
        let (loops, plain) =
            (attention_on_cpu(&qkv, 2, 3).unwrap(), attention_by_tensors(&qkv, 2, 3).unwrap());
        assert!(gap(&loops, &plain) < 2e-6, "{}", gap(&loops, &plain));
        let x = waves(5, 40);
        let vector = |seed: usize| waves(1, 40 + seed).flatten_all().unwrap().narrow(0, seed, 40);
        let (weight, bias) = (vector(1).unwrap(), vector(9).unwrap());
        let norm = LayerNorm { weight: weight.clone(), bias: bias.clone(), epsilon: 1e-6 };
        let plain = layer_norm(&x, &weight, &bias, 1e-6).unwrap();
        assert!(gap(&norm.forward(&x).unwrap(), &plain) < 4e-6);
        let gelu = Activation::Gelu.forward(&x).unwrap();
        assert!(gap(&gelu, &x.gelu_erf().unwrap()) < 1e-6);
        let quick = (&x * sigmoid(&(&x * 1.702).unwrap()).unwrap()).unwrap();
        assert!(gap(&Activation::QuickGelu.forward(&x).unwrap(), &quick) < 1e-6);
    }

    #[test]
    fn a_token_that_is_far_ahead_is_all_that_is_seen() {
        // One head of one channel: the first key answers every query so loudly that its value is the result.
        let qkv =
            Tensor::new(&[[1f32, 90., 5.], [2., 0., 7.], [1., -3., 9.]], &Device::Cpu).unwrap();
        let found = attention(&qkv, 1, 1).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(found, [[5.0], [5.0], [5.0]]);
    }
}
