//! A [`Network`] holds the weights of a vision transformer and runs it.

use autogan_ops as ops;
use autogan_weights::Archive;
use candle_core::{DType, Device, Tensor};

use super::layers::{LayerNorm, Linear, attention};
use super::position::interpolate;
use super::weights::Source;
use super::{Family, VitPlan};
use crate::Result;

/// One block: attention, then two layers for each token, each with a norm before it and a shortcut around it.
#[derive(Debug)]
struct Block {
    norms: [LayerNorm; 2],
    qkv: Linear,
    layers: [Linear; 3],
}

/// The network in `f32` on its device.
#[derive(Debug)]
pub(super) struct Network {
    plan: VitPlan,
    /// `[width, 3 · patch²]`.
    patches: Linear,
    /// The class token and its position, `[1, width]`.
    class: Tensor,
    /// The positions of the patches, `[patches², width]`.
    positions: Tensor,
    before: Option<LayerNorm>,
    blocks: Vec<Block>,
    behind: LayerNorm,
    /// `[outputs, width]`.
    projection: Option<Linear>,
}

impl Network {
    /// The network from named tensors; those that it does not use are ignored.
    pub fn new(archive: &Archive, plan: &VitPlan, device: &Device) -> Result<Self> {
        let source = Source::new(archive, plan, device)?;
        let layout = source.layout;
        let (width, grid) = (plan.width, plan.grid);
        let all = source.wide(layout.positions, &[1 + grid * grid, width])?;
        let class = (source.wide(layout.class, &[1, width])? + all.narrow(0, 0, 1)?)?;
        let trained = all.narrow(0, 1, grid * grid)?.to_dtype(DType::F32)?.flatten_all()?;
        let positions = interpolate(&trained.to_vec1()?, grid, plan.patches(), width);
        let positions = Tensor::from_vec(positions, ((), width), &Device::Cpu)?;
        let projection = layout.projection.map(|name| {
            let weight = source.wide(&format!("{name}.weight"), &[plan.outputs, width])?;
            Ok::<_, crate::Error>(Linear { weight: source.stored(&weight)?, bias: None })
        });
        Ok(Self {
            plan: *plan,
            patches: patches(&source)?,
            class: source.stored(&class)?,
            positions: source.stored(&positions)?,
            before: layout.before.map(|name| source.norm(name)).transpose()?,
            blocks: (0..plan.depth).map(|i| block(&source, i)).collect::<Result<_>>()?,
            behind: source.norm(layout.behind)?,
            projection: projection.transpose()?,
        })
    }

    /// The device on which the network computes.
    pub fn device(&self) -> &Device {
        self.class.device()
    }

    /// Features `[n, outputs]` of prepared images `[n, 3, side, side]` on the network's device.
    pub fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let VitPlan { width, heads, .. } = self.plan;
        let (n, tokens) = (images.dim(0)?, self.plan.tokens());
        let mut x = self.embed(images)?;
        for Block { norms, qkv, layers } in &self.blocks {
            let seen = attention(&qkv.forward(&norms[0].forward(&x)?)?, n, heads)?;
            x = ops::add(&x, &layers[0].forward(&seen)?)?;
            let inner = layers[1].forward(&norms[1].forward(&x)?)?;
            let inner = self.plan.family.activation().forward(&inner)?;
            x = ops::add(&x, &layers[2].forward(&inner)?)?;
        }
        let class = x.reshape((n, tokens, width))?.narrow(1, 0, 1)?.reshape((n, width))?;
        let features = self.behind.forward(&class.contiguous()?)?;
        let Some(projection) = &self.projection else { return Ok(features) };
        let features = projection.forward(&features)?;
        let length = features.sqr()?.sum_keepdim(1)?.sqrt()?;
        Ok(features.broadcast_div(&length)?)
    }

    /// Tokens `[n · tokens, width]` of images: the class token first, then the patches row after row.
    fn embed(&self, images: &Tensor) -> Result<Tensor> {
        let VitPlan { patch, width, .. } = self.plan;
        let (n, side) = (images.dim(0)?, self.plan.patches());
        let pixels = images.reshape((n, 3, side, patch, side, patch))?;
        let pixels = pixels.permute((0, 2, 4, 1, 3, 5))?.contiguous()?;
        let patches =
            self.patches.forward(&pixels.reshape((n * side * side, 3 * patch * patch))?)?;
        let patches = patches.reshape((n, side * side, width))?.broadcast_add(&self.positions)?;
        let class = self.class.broadcast_as((n, 1, width))?.contiguous()?;
        let tokens = Tensor::cat(&[class, patches], 1)?.reshape((n * self.plan.tokens(), width))?;
        match &self.before {
            Some(norm) => Ok(norm.forward(&tokens)?),
            None => Ok(tokens),
        }
    }
}

/// The convolution that makes tokens of patches, as a layer; CLIP's has no bias.
fn patches(source: &Source<'_>) -> Result<Linear> {
    let VitPlan { width, patch, family, .. } = *source.plan;
    let name = source.layout.patches;
    let weight = source.wide(&format!("{name}.weight"), &[width, 3, patch, patch])?;
    let bias = match family {
        Family::Dinov2 => Some(source.stored(&source.wide(&format!("{name}.bias"), &[width])?)?),
        Family::Clip => None,
    };
    Ok(Linear { weight: source.stored(&weight.reshape((width, ()))?)?, bias })
}

/// Block number `i`.
fn block(source: &Source<'_>, i: usize) -> Result<Block> {
    let (layout, plan) = (source.layout, source.plan);
    let named = |name: &str| format!("{}{i}.{name}", layout.block);
    let linear = |names: &[&str], inputs, outputs, scale: Option<&str>| {
        let names: Vec<String> = names.iter().map(|name| named(name)).collect();
        source.linear(&names, inputs, outputs, scale.map(named).as_deref())
    };
    let (width, hidden) = (plan.width, plan.hidden());
    let [out, first, second] = layout.layers;
    let scale = |branch: usize| layout.scales.map(|scales| scales[branch]);
    Ok(Block {
        norms: [source.norm(&named(layout.norms[0]))?, source.norm(&named(layout.norms[1]))?],
        qkv: linear(layout.qkv, width, 3 * width, None)?,
        layers: [
            linear(&[out], width, width, scale(0))?,
            linear(&[first], width, hidden, None)?,
            linear(&[second], hidden, width, scale(1))?,
        ],
    })
}
