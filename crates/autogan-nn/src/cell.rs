//! A [`Cell`] is one cell of the generator (section 3.1): two halves with a convolution each, skips from earlier cells,
//! and a shortcut past both halves.
//!
//! `h = half1(x)`; for each set skip bit, the oldest first, `h += conv1x1_i(resize(tap_i))`; `out = half2(h)`, plus
//! `conv1x1(up2(x))` with the shortcut. Half, post-activation: [upsampling,] convolution 3x3, norm, ReLU;
//! pre-activation: norm, ReLU, [upsampling,] convolution 3x3. Only the first half upsamples.
//!
//! A 1x1 convolution commutes with nearest and bilinear upsampling (the weights of each output pixel sum to one, so the
//! bias commutes too): it runs at the small side, for 4 or 16 times fewer multiplications.

use autogan_ops::{self as ops, Activation, Before, Resize};
use autogan_space::{CellArch, Conv, Norm, Upsample};
use autogan_weights::ParamsBuilder;
use candle_core::Tensor;

use crate::PreOrder;
use crate::layers::{BatchNorm, Conv2d, Deconv, EPS};
use crate::{Grad, NnError, NormMode, Result};

/// The way in which one forward pass treats parameters and batch norm.
#[derive(Clone, Copy)]
pub(crate) struct Pass<'a> {
    pub grad: Grad,
    pub mode: NormMode<'a>,
    pub pre_order: PreOrder,
}

/// The results of a cell.
pub(crate) struct CellOutput {
    /// The cell's output, `[N, C, 2H, 2W]`.
    pub out: Tensor,
    /// The first half's output before the skips are added, of the same shape.
    pub before_add: Tensor,
    /// The first half's output after the skips are added.
    pub after_add: Tensor,
}

/// A cell with every part (supernet) or with those of one architecture.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    name: String,
    post: Option<[Half; 2]>,
    pre: Option<[Half; 2]>,
    shortcut: Option<Conv2d>,
    shortcut_deconv: Option<Deconv>,
    skips: Vec<Option<Conv2d>>,
    skip_deconv_x2: Option<Deconv>,
    skip_deconv_x4: Option<[Deconv; 2]>,
}

impl Cell {
    /// The cell `index` (from 0) with the parts that `arch` uses, or with all of them.
    pub fn new(
        builder: &mut ParamsBuilder,
        index: usize,
        width: usize,
        arch: Option<&CellArch>,
    ) -> Result<Self> {
        let name = format!("cell{}", index + 1);
        let wanted = |used: fn(&CellArch) -> bool| arch.is_none_or(used);
        let with_deconv = wanted(|a| a.upsample == Upsample::Deconv);
        let factor = |n: usize| {
            with_deconv
                && arch.is_none_or(|a| a.skips.sources().any(|from| a.skip_factor(from) == n))
        };
        let halves = |builder: &mut ParamsBuilder, kind: &str| -> Result<[Half; 2]> {
            let half = |builder: &mut ParamsBuilder, i: usize| {
                let name = format!("{name}.{kind}_conv{i}");
                let upsamples = arch.is_none() || i == 1;
                let batch_norm = wanted(|a| a.norm == Norm::Batch);
                Half::new(builder, &name, width, batch_norm, with_deconv && upsamples)
            };
            Ok([half(builder, 1)?, half(builder, 2)?])
        };
        let deconv = |builder: &mut ParamsBuilder, part: &str| {
            Deconv::new(builder, &format!("{name}.{part}"), width)
        };
        let conv1x1 = |builder: &mut ParamsBuilder, part: &str| {
            Conv2d::new(builder, &format!("{name}.{part}"), width, width, 1)
        };
        Ok(Self {
            post: made_if(wanted(|a| a.conv == Conv::Post), || halves(builder, "post"))?,
            pre: made_if(wanted(|a| a.conv == Conv::Pre), || halves(builder, "pre"))?,
            shortcut: made_if(wanted(|a| a.shortcut), || conv1x1(builder, "c_sc"))?,
            shortcut_deconv: made_if(with_deconv && wanted(|a| a.shortcut), || {
                deconv(builder, "deconv_sc")
            })?,
            skips: (0..index)
                .map(|from| {
                    let used = arch.is_none_or(|a| a.skips.get(from));
                    made_if(used, || conv1x1(builder, &format!("skip_in_ops.{from}")))
                })
                .collect::<Result<_>>()?,
            skip_deconv_x2: made_if(factor(2), || deconv(builder, "skip_deconvx2"))?,
            skip_deconv_x4: made_if(factor(4), || {
                Ok([deconv(builder, "skip_deconvx4.0")?, deconv(builder, "skip_deconvx4.1")?])
            })?,
            name,
        })
    }

    /// Runs the cell on `x` `[N, C, H, W]`; `taps` are those of the earlier cells, the oldest first.
    pub fn forward(
        &self,
        x: &Tensor,
        taps: &[Tensor],
        arch: &CellArch,
        pass: Pass<'_>,
    ) -> Result<CellOutput> {
        let [first, second] = match arch.conv {
            Conv::Post => self.part(&self.post, "post-activation halves")?,
            Conv::Pre => self.part(&self.pre, "pre-activation halves")?,
        };
        let before_add = first.forward(x, arch, Some(arch.upsample), pass)?;
        let mut h = before_add.clone();
        for from in arch.skips.sources() {
            h = ops::add(&h, &self.skip(&taps[from], from, arch, pass)?)?;
        }
        let mut out = second.forward(&h, arch, None, pass)?;
        if arch.shortcut {
            out = ops::add(&out, &self.in_cell_shortcut(x, arch.upsample, pass)?)?;
        }
        Ok(CellOutput { out, before_add, after_add: h })
    }

    /// The skip from earlier cell `from`, resized to this cell's side.
    fn skip(&self, tap: &Tensor, from: usize, arch: &CellArch, pass: Pass<'_>) -> Result<Tensor> {
        let conv = self.skips.get(from).and_then(Option::as_ref);
        let conv = conv.ok_or_else(|| self.missing("1x1 convolution of this skip"))?;
        let factor = arch.skip_factor(from);
        match arch.upsample {
            Upsample::Bilinear => {
                Ok(ops::upsample_bilinear(&conv.forward_with(tap, pass.grad)?, factor)?)
            }
            Upsample::Nearest => {
                Ok(ops::upsample_nearest(&conv.forward_with(tap, pass.grad)?, factor)?)
            }
            Upsample::Deconv if factor == 2 => {
                let deconv = self.part(&self.skip_deconv_x2, "skip_deconvx2")?;
                deconv.forward_then(conv, tap, pass.grad)
            }
            Upsample::Deconv => {
                let [first, second] = self.part(&self.skip_deconv_x4, "skip_deconvx4")?;
                second.forward_then(conv, &first.forward_with(tap, pass.grad)?, pass.grad)
            }
        }
    }

    fn in_cell_shortcut(&self, x: &Tensor, up: Upsample, pass: Pass<'_>) -> Result<Tensor> {
        let conv = self.part(&self.shortcut, "shortcut (c_sc)")?;
        match up {
            Upsample::Bilinear => Ok(ops::upsample_bilinear(&conv.forward_with(x, pass.grad)?, 2)?),
            Upsample::Nearest => Ok(ops::upsample_nearest(&conv.forward_with(x, pass.grad)?, 2)?),
            Upsample::Deconv => {
                let deconv = self.part(&self.shortcut_deconv, "deconv_sc")?;
                deconv.forward_then(conv, x, pass.grad)
            }
        }
    }

    fn part<'a, T>(&self, part: &'a Option<T>, name: &'static str) -> Result<&'a T> {
        part.as_ref().ok_or_else(|| self.missing(name))
    }

    fn missing(&self, part: &'static str) -> NnError {
        NnError::MissingPart { cell: self.name.clone(), part }
    }
}

/// One of a cell's two 3x3 convolutions with its norm and its deconvolution.
#[derive(Debug, Clone)]
struct Half {
    name: String,
    conv: Conv2d,
    batch_norm: Option<BatchNorm>,
    deconv: Option<Deconv>,
}

impl Half {
    fn new(
        builder: &mut ParamsBuilder,
        name: &str,
        width: usize,
        batch_norm: bool,
        deconv: bool,
    ) -> Result<Self> {
        Ok(Self {
            conv: Conv2d::new(builder, &format!("{name}.conv"), width, width, 3)?,
            batch_norm: made_if(batch_norm, || {
                BatchNorm::new(builder, &format!("{name}.bn"), width)
            })?,
            deconv: made_if(deconv, || Deconv::new(builder, &format!("{name}.deconv"), width))?,
            name: name.to_owned(),
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        arch: &CellArch,
        up: Option<Upsample>,
        pass: Pass<'_>,
    ) -> Result<Tensor> {
        match arch.conv {
            Conv::Post => {
                let h = self.convolve(x, up, pass.grad)?;
                self.normalise(&h, arch.norm, pass)
            }
            Conv::Pre => {
                let (x, up) = match pass.pre_order {
                    PreOrder::NormFirst => (x.clone(), up),
                    PreOrder::UpsampleFirst => (self.upsample(x, up, pass.grad)?, None),
                };
                match resize(up) {
                    Some(resize) => self.normalise_into(&x, arch.norm, resize, pass),
                    None => self.convolve(&self.normalise(&x, arch.norm, pass)?, up, pass.grad),
                }
            }
        }
    }

    /// Norm and ReLU.
    fn normalise(&self, x: &Tensor, norm: Norm, pass: Pass<'_>) -> Result<Tensor> {
        match norm {
            Norm::None => Ok(ops::relu(x)?),
            Norm::Batch => self.batch_norm()?.forward(x, pass.mode, pass.grad, Activation::Relu),
            Norm::Instance => Ok(ops::instance_norm(x, EPS, Activation::Relu)?),
        }
    }

    /// Norm, ReLU, resizing and convolution, in one operator.
    fn normalise_into(
        &self,
        x: &Tensor,
        norm: Norm,
        resize: Resize,
        pass: Pass<'_>,
    ) -> Result<Tensor> {
        let before = match norm {
            Norm::Batch => {
                let conv = (&self.conv, resize);
                return self.batch_norm()?.before_conv(x, pass.mode, pass.grad, conv);
            }
            Norm::None => Before::Relu,
            Norm::Instance => Before::InstanceNorm { eps: EPS },
        };
        Ok(self.conv.fused(x, before, resize, pass.grad)?.y)
    }

    /// Upsampling and convolution.
    fn convolve(&self, x: &Tensor, up: Option<Upsample>, grad: Grad) -> Result<Tensor> {
        match resize(up) {
            Some(resize) => Ok(self.conv.fused(x, Before::Nothing, resize, grad)?.y),
            None => self.conv.forward_with(&self.upsample(x, up, grad)?, grad),
        }
    }

    fn batch_norm(&self) -> Result<&BatchNorm> {
        self.batch_norm.as_ref().ok_or_else(|| self.missing("batch norm (bn)"))
    }

    fn upsample(&self, x: &Tensor, up: Option<Upsample>, grad: Grad) -> Result<Tensor> {
        match up {
            None => Ok(x.clone()),
            Some(Upsample::Bilinear) => Ok(ops::upsample_bilinear(x, 2)?),
            Some(Upsample::Nearest) => Ok(ops::upsample_nearest(x, 2)?),
            Some(Upsample::Deconv) => {
                let deconv = self.deconv.as_ref().ok_or_else(|| self.missing("deconv"))?;
                deconv.forward_with(x, grad)
            }
        }
    }

    fn missing(&self, part: &'static str) -> NnError {
        NnError::MissingPart { cell: self.name.clone(), part }
    }
}

/// Makes a part of a network if it is used.
fn made_if<T>(used: bool, make: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
    used.then(make).transpose()
}

/// The change of the side that the convolution does by itself; `None` where the upsampling is an operator of its own.
fn resize(up: Option<Upsample>) -> Option<Resize> {
    match up {
        None => Some(Resize::Keep),
        Some(Upsample::Nearest) => Some(Resize::NearestUp),
        Some(Upsample::Bilinear | Upsample::Deconv) => None,
    }
}
