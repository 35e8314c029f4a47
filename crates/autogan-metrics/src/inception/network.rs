//! [`Network`] holds the network's weights, batch norm folded into the convolutions, and runs its forward pass.
//!
//! On the CPU the blocks run by `evaluate.rs`. The plain form is here: operator by operator on tensors. GPUs run it,
//! and tests compare with it.

use autogan_kernels::inference::{Convolution, Shape};
use autogan_ops::{ConvGeometry, avg_pool_global, avg_pool3, conv2d_relu, linear, max_pool3};
use autogan_weights::Archive;
use candle_core::{Device, Tensor};

use super::evaluate::{self, BufferPool};
use super::extractor::SPATIAL_CHANNELS;
use super::layout::{self, Block, ConvPlan, Step};
use super::{CLASSES, SIDE, Tap};
use crate::Result;
use crate::tensors::NetworkTensors;

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
pub(super) struct Network {
    blocks: Blocks,
    fc_weight: Tensor,
    fc_bias: Tensor,
}

/// The blocks in one of their forms.
enum Blocks {
    /// On the CPU: channels last.
    Packed(Vec<Block<Convolution>>),
    /// Operator by operator, on any device.
    Tensors(Vec<Block<Conv>>),
}

/// All blocks with convolutions made by `make`.
fn blocks<C>(mut make: impl FnMut(ConvPlan) -> Result<C>) -> Result<Vec<Block<C>>> {
    let mut block = |block: Block<ConvPlan>| {
        let branches = block
            .branches
            .into_iter()
            .map(|steps| steps.into_iter().map(|s| s.try_map(&mut make)).collect())
            .collect::<Result<_>>()?;
        Ok(Block { branches, tap: block.tap })
    };
    layout::blocks().into_iter().map(&mut block).collect()
}

impl Network {
    /// The form for the CPU, from the tensors named by [`layout::tensor_shapes`]; others are ignored.
    pub fn packed(weights: &Archive) -> Result<Self> {
        let pack = |plan: ConvPlan| folded(weights, &plan, &Device::Cpu)?.pack();
        Self::with(Blocks::Packed(blocks(pack)?), weights, &Device::Cpu)
    }

    /// The plain form, from the same tensors.
    pub fn plain(weights: &Archive, device: &Device) -> Result<Self> {
        let fold = |plan: ConvPlan| folded(weights, &plan, device);
        Self::with(Blocks::Tensors(blocks(fold)?), weights, device)
    }

    fn with(blocks: Blocks, weights: &Archive, device: &Device) -> Result<Self> {
        let tensors = tensors(weights, device);
        let fc = |name: &str, shape: &[usize]| tensors.stored(&tensors.read(name, shape)?);
        Ok(Network {
            blocks,
            fc_weight: fc("fc.weight", &[CLASSES, Tap::D2048.dims()])?,
            fc_bias: fc("fc.bias", &[CLASSES])?,
        })
    }

    /// The device on which the network computes.
    pub fn device(&self) -> &Device {
        self.fc_bias.device()
    }

    /// Values at the taps, in the order asked for, of images `[n, 3, 299, 299]`, resized and scaled, on the network's
    /// device; layers behind the last tap are not run.
    pub fn forward(
        &self,
        images: &Tensor,
        taps: &[Tap],
        pool: &mut BufferPool,
    ) -> Result<Vec<Tensor>> {
        let last = taps.iter().copied().max().unwrap_or(Tap::D64);
        let mut found = match &self.blocks {
            Blocks::Packed(blocks) => {
                let shape = Shape { n: images.dims()[0], h: SIDE, w: SIDE };
                let planes = images.flatten_all()?.to_vec1::<f32>()?;
                evaluate::forward(blocks, &planes, shape, last, pool)?
            }
            Blocks::Tensors(blocks) => plain(blocks, images, last)?,
        };
        if let Some((Tap::D2048, features)) = found.last()
            && last > Tap::D2048
        {
            let logits = linear(features, &self.fc_weight, None)?;
            if taps.contains(&Tap::Logits) {
                found.push((Tap::Logits, logits.broadcast_add(&self.fc_bias)?));
            }
            found.push((Tap::LogitsUnbiased, logits));
        }
        let at = |tap: &Tap| found.iter().find(|(t, _)| t == tap).map(|(_, value)| value.clone());
        Ok(taps.iter().filter_map(at).collect())
    }
}

/// The plain form: means over pixels, or single channels, behind the blocks that have a tap, up to the tap `last`.
fn plain(blocks: &[Block<Conv>], x: &Tensor, last: Tap) -> Result<Vec<(Tap, Tensor)>> {
    let mut found = Vec::new();
    let mut x = x.clone();
    for block in blocks {
        x = block.forward(&x)?;
        let Some(tap) = block.tap else { continue };
        found.push((
            tap,
            match tap {
                Tap::Spatial => {
                    x.narrow(1, 0, SPATIAL_CHANNELS)?.permute((0, 2, 3, 1))?.flatten_from(1)?
                }
                _ => avg_pool_global(&x)?,
            },
        ));
        if tap >= last {
            break;
        }
    }
    Ok(found)
}

impl Block<Conv> {
    /// Turns `[N, C, H, W]` into the concatenated outputs of the branches.
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
            Step::Averaged(conv) => conv.forward(&avg_pool3(x)?)?,
            Step::MaxPool { stride, pad } => max_pool3(x, *stride, *pad)?,
        })
    }
}

impl Conv {
    /// Packs the convolution for the CPU.
    fn pack(&self) -> Result<Convolution> {
        let values = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
        let shape = self.weight.dims4()?;
        Ok(Convolution::new(&values(&self.weight)?, &values(&self.bias)?, shape, self.geometry)?)
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(conv2d_relu(x, &self.weight, &self.bias, self.geometry)?)
    }
}

/// The tensors of Inception's weights.
fn tensors<'a>(archive: &'a Archive, device: &'a Device) -> NetworkTensors<'a> {
    NetworkTensors { archive, network: "the Inception weights", device }
}

/// A convolution with its batch norm, which becomes part of it.
fn folded(weights: &Archive, plan: &ConvPlan, device: &Device) -> Result<Conv> {
    let (kh, kw) = plan.kernel;
    let names = ["conv", "bn"].map(|part| format!("{}.{part}", plan.name));
    let shape = [plan.outputs, plan.inputs, kh, kw];
    let (weight, bias) = tensors(weights, device).folded((&names[0], &names[1]), shape, BN_EPS)?;
    let geometry = ConvGeometry { stride: plan.stride, pad_h: plan.pad.0, pad_w: plan.pad.1 };
    Ok(Conv { weight, bias, geometry })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weights of a size that keeps activations near 1.
    fn weights() -> Archive {
        let tensor = |(i, (name, shape)): (usize, (String, Vec<usize>))| {
            let fan_in: usize = shape[1..].iter().product();
            let value = |k: usize| ((k * 2_654_435_761 + i * 40_503) % 65_521) as f32 / 65_521.0;
            let spread =
                if name.ends_with("conv.weight") { (24.0 / fan_in as f32).sqrt() } else { 0.2 };
            let center = if name.ends_with("running_var") { 0.4 } else { 0.5 };
            let norm = name.ends_with("bn.weight") || name.ends_with("running_var");
            let values = (0..shape.iter().product::<usize>()).map(|k| {
                let v = value(k);
                if norm { 0.8 + center * v } else { spread * (v - 0.5) }
            });
            let tensor = Tensor::from_vec(values.collect::<Vec<f32>>(), shape, &Device::Cpu);
            (name, tensor.unwrap())
        };
        layout::tensor_shapes().into_iter().enumerate().map(tensor).collect()
    }

    #[test]
    fn packed_blocks_equal_the_plain_form() {
        let weights = weights();
        let packed = Network::packed(&weights).unwrap();
        let plain = Network::plain(&weights, &Device::Cpu).unwrap();
        let waves = |image: usize| {
            (0..SIDE * SIDE * 3).map(move |i| (i as f32 * 0.37 + image as f32).sin())
        };
        let waves: Vec<f32> = (0..2).flat_map(waves).collect();
        let waves = Tensor::from_vec(waves, (2, SIDE, SIDE, 3), &Device::Cpu).unwrap();
        let waves = waves.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
        let taps = [
            Tap::Logits,
            Tap::D64,
            Tap::D2048,
            Tap::D192,
            Tap::Spatial,
            Tap::D768,
            Tap::LogitsUnbiased,
        ];
        let largest = |t: &Tensor| t.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        let forward = |network: &Network, taps: &[Tap]| {
            network.forward(&waves, taps, &mut BufferPool::default()).unwrap()
        };
        let (found, expected) = (forward(&packed, &taps), forward(&plain, &taps));
        assert_eq!((found.len(), expected.len()), (taps.len(), taps.len()));
        let gap = |found: &Tensor, expected: &Tensor| {
            largest(&(found - expected).unwrap()) / largest(expected)
        };
        for ((tap, found), expected) in taps.iter().zip(&found).zip(&expected) {
            // Spatial features are single values, whose rounding no mean over pixels takes away: here the root mean
            // square of the 4,046 gaps is 5e-6, the largest is 2.8e-5, and that of the means over pixels is 2.8e-6.
            let limit = if *tap == Tap::Spatial { 5e-5 } else { 2e-5 };
            let gap = gap(found, expected);
            assert!(gap < limit && largest(expected) > 1e-2, "{tap:?}: {gap:e}");
        }
        let means = |spatial: &Tensor| {
            spatial.reshape((2, 17 * 17, SPATIAL_CHANNELS)).unwrap().mean(1).unwrap()
        };
        let gap = gap(&means(&found[4]), &means(&expected[4]));
        assert!(gap < 2e-5, "{gap:e}");
        for (network, among_others) in [(&packed, &found[4]), (&plain, &expected[4])] {
            let alone = &forward(network, &[Tap::Spatial])[0];
            assert_eq!(alone.dims(), [2, Tap::Spatial.dims()], "without the layers behind");
            assert_eq!(alone.to_vec2::<f32>().unwrap(), among_others.to_vec2::<f32>().unwrap());
        }
        let few = forward(&packed, &[Tap::D192]);
        assert_eq!(few[0].to_vec2::<f32>().unwrap(), found[3].to_vec2::<f32>().unwrap());
    }
}
