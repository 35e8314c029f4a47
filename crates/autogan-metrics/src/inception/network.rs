//! The network's weights, batch norm folded into the convolutions, and its forward pass.

use autogan_ops::{ConvGeometry, avg_pool_global, conv2d_relu, linear};
use autogan_weights::Archive;
use candle_core::{DType, Device, Tensor};

use super::layout::{self, Block, ConvPlan, Step};
use super::{CLASSES, Tap, pool};
use crate::{Error, Result};

/// Epsilon of the batch norms (PyTorch's default would be 1e-5).
const BN_EPS: f64 = 1e-3;

/// A convolution with its batch norm folded in.
#[derive(Debug, Clone)]
struct Conv {
    weight: Tensor,
    bias: Tensor,
    geometry: ConvGeometry,
}

/// The network in evaluation mode, `f32`.
#[derive(Debug, Clone)]
pub(super) struct Network {
    blocks: Vec<Block<Conv>>,
    fc_weight: Tensor,
    fc_bias: Tensor,
}

impl Network {
    /// From the tensors named by [`layout::tensor_shapes`]; others are ignored.
    pub fn load(weights: &Archive, device: &Device) -> Result<Self> {
        let blocks = layout::blocks()
            .into_iter()
            .map(|block| {
                let mut fold = |plan: ConvPlan| fold_batch_norm(weights, &plan, device);
                let branches = block
                    .branches
                    .into_iter()
                    .map(|steps| steps.into_iter().map(|s| s.try_map(&mut fold)).collect())
                    .collect::<Result<_>>()?;
                let tap = block.tap;
                Ok(Block { branches, tap })
            })
            .collect::<Result<_>>()?;
        let fc = |name: &str, shape: &[usize]| {
            Ok::<_, Error>(read(weights, name, shape)?.to_dtype(DType::F32)?.to_device(device)?)
        };
        Ok(Network {
            blocks,
            fc_weight: fc("fc.weight", &[CLASSES, Tap::D2048.dims()])?,
            fc_bias: fc("fc.bias", &[CLASSES])?,
        })
    }

    /// Values at the taps, in the order asked for, of `x [N, 3, 299, 299]`; layers behind the last
    /// tap are not run.
    pub fn forward(&self, x: &Tensor, taps: &[Tap]) -> Result<Vec<Tensor>> {
        let mut found: Vec<Option<Tensor>> = vec![None; taps.len()];
        let mut keep = |tap: Tap, value: &Tensor| {
            for (slot, wanted) in found.iter_mut().zip(taps) {
                if *wanted == tap {
                    *slot = Some(value.clone());
                }
            }
        };
        let last = taps.iter().copied().max().unwrap_or(Tap::D64);
        let mut x = x.clone();
        for block in &self.blocks {
            x = block.forward(&x)?;
            let Some(tap) = block.tap else { continue };
            let features = avg_pool_global(&x)?;
            keep(tap, &features);
            if tap == last {
                break;
            }
            if tap == Tap::D2048 {
                let logits = linear(&features, &self.fc_weight, None)?;
                keep(Tap::LogitsUnbiased, &logits);
                keep(Tap::Logits, &logits.broadcast_add(&self.fc_bias)?);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }
}

impl Block<Conv> {
    /// `[N, C, H, W]` to the concatenated outputs of the branches.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let outputs = self
            .branches
            .iter()
            .map(|steps| steps.iter().try_fold(x.clone(), |x, step| step.forward(&x)))
            .collect::<Result<Vec<_>>>()?;
        match &outputs[..] {
            [one] => Ok(one.clone()),
            several => Ok(Tensor::cat(several, 1)?),
        }
    }
}

impl Step<Conv> {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Step::Conv(conv) => conv.forward(x)?,
            Step::Fork(a, b) => Tensor::cat(&[a.forward(x)?, b.forward(x)?], 1)?,
            Step::AvgPool => pool::average(x)?,
            Step::MaxPool { stride, pad } => pool::maximum(x, *stride, *pad)?,
        })
    }
}

impl Conv {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(conv2d_relu(x, &self.weight, &self.bias, self.geometry)?)
    }
}

/// `w' = w · γ / √(σ² + ε)`, `b' = β − μ · γ / √(σ² + ε)`, in `f64`, rounded once.
fn fold_batch_norm(weights: &Archive, plan: &ConvPlan, device: &Device) -> Result<Conv> {
    let (kh, kw) = plan.kernel;
    let name = format!("{}.conv.weight", plan.name);
    let weight = read(weights, &name, &[plan.outputs, plan.inputs, kh, kw])?;
    let part = |part: &str| read(weights, &format!("{}.bn.{part}", plan.name), &[plan.outputs]);
    let scale = (part("weight")? / (part("running_var")? + BN_EPS)?.sqrt()?)?;
    let bias = (part("bias")? - (part("running_mean")? * &scale)?)?;
    let weight = weight.broadcast_mul(&scale.reshape((plan.outputs, 1, 1, 1))?)?;
    Ok(Conv {
        weight: weight.to_dtype(DType::F32)?.to_device(device)?,
        bias: bias.to_dtype(DType::F32)?.to_device(device)?,
        geometry: ConvGeometry { stride: plan.stride, pad_h: plan.pad.0, pad_w: plan.pad.1 },
    })
}

/// A tensor in `f64` on the CPU, of the shape that the network needs.
fn read(weights: &Archive, name: &str, shape: &[usize]) -> Result<Tensor> {
    let tensor = weights.require(name)?;
    if tensor.dims() == shape {
        return Ok(tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?);
    }
    Err(Error::Shape {
        what: format!("tensor {name} of the Inception weights"),
        expected: format!("{shape:?}"),
        found: format!("{:?}", tensor.dims()),
    })
}
