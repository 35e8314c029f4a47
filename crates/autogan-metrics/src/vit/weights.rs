//! This module finds the weights of a network in a file, under the names of `transformers` or of Meta's code.

use autogan_weights::Archive;
use candle_core::{DType, Device, Tensor};

use super::layers::{LayerNorm, Linear};
use super::{Family, VitPlan};
use crate::{Error, Result};

/// The names of a network's tensors. Those of a block follow its number.
pub(super) struct Layout {
    pub class: &'static str,
    pub positions: &'static str,
    pub patches: &'static str,
    /// The norm before the blocks.
    pub before: Option<&'static str>,
    /// The norm behind them.
    pub behind: &'static str,
    pub projection: Option<&'static str>,
    /// What stands before the number of a block.
    pub block: &'static str,
    pub norms: [&'static str; 2],
    /// Queries, keys and values, in one tensor or in three.
    pub qkv: &'static [&'static str],
    /// The layer behind the attention, then the two of the second branch.
    pub layers: [&'static str; 3],
    /// The scales of the two branches.
    pub scales: Option<[&'static str; 2]>,
}

/// DINOv2 in `transformers`.
const DINOV2: Layout = Layout {
    class: "embeddings.cls_token",
    positions: "embeddings.position_embeddings",
    patches: "embeddings.patch_embeddings.projection",
    before: None,
    behind: "layernorm",
    projection: None,
    block: "encoder.layer.",
    norms: ["norm1", "norm2"],
    qkv: &["attention.attention.query", "attention.attention.key", "attention.attention.value"],
    layers: ["attention.output.dense", "mlp.fc1", "mlp.fc2"],
    scales: Some(["layer_scale1.lambda1", "layer_scale2.lambda1"]),
};

/// DINOv2 as Meta publishes it (`dinov2_vits14_pretrain.pth`).
const DINOV2_META: Layout = Layout {
    class: "cls_token",
    positions: "pos_embed",
    patches: "patch_embed.proj",
    before: None,
    behind: "norm",
    projection: None,
    block: "blocks.",
    norms: ["norm1", "norm2"],
    qkv: &["attn.qkv"],
    layers: ["attn.proj", "mlp.fc1", "mlp.fc2"],
    scales: Some(["ls1.gamma", "ls2.gamma"]),
};

/// CLIP in `transformers`; the norm before the blocks is spelt so there.
const CLIP: Layout = Layout {
    class: "vision_model.embeddings.class_embedding",
    positions: "vision_model.embeddings.position_embedding.weight",
    patches: "vision_model.embeddings.patch_embedding",
    before: Some("vision_model.pre_layrnorm"),
    behind: "vision_model.post_layernorm",
    projection: Some("visual_projection"),
    block: "vision_model.encoder.layers.",
    norms: ["layer_norm1", "layer_norm2"],
    qkv: &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    layers: ["self_attn.out_proj", "mlp.fc1", "mlp.fc2"],
    scales: None,
};

/// A file of weights that is read for a network.
pub(super) struct Source<'a> {
    pub plan: &'a VitPlan,
    pub layout: &'static Layout,
    archive: Archive,
    device: &'a Device,
}

impl<'a> Source<'a> {
    /// Finds out which names the file has.
    ///
    /// # Errors
    /// [`Error::Shape`] for DINOv2 with registers, which is another network.
    pub fn new(archive: &Archive, plan: &'a VitPlan, device: &'a Device) -> Result<Self> {
        let archive = archive.sub("dinov2").unwrap_or_else(|| archive.clone());
        let layout = match plan.family {
            Family::Clip => &CLIP,
            Family::Dinov2 if archive.get(DINOV2_META.positions).is_some() => &DINOV2_META,
            Family::Dinov2 => &DINOV2,
        };
        if let Some(name) = archive.names().find(|name| name.ends_with("register_tokens")) {
            let (what, expected) = (format!("weights of {}", plan.name), "no registers");
            return Err(Error::shape(what, expected, format!("{name}, of another network")));
        }
        Ok(Self { plan, layout, archive, device })
    }

    /// A tensor in `f64` on the CPU. Axes of length 1 do not matter.
    pub fn wide(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let tensor = self.archive.require(name)?;
        let long = |dims: &[usize]| dims.iter().copied().filter(|d| *d != 1).collect::<Vec<_>>();
        if long(tensor.dims()) != long(shape) {
            let what = format!("tensor {name} of {}", self.plan.name);
            return Err(Error::shape(what, format!("{shape:?}"), format!("{:?}", tensor.dims())));
        }
        Ok(tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.reshape(shape)?)
    }

    /// Rounds a tensor to `f32` and brings it to the device of the network.
    pub fn stored(&self, tensor: &Tensor) -> Result<Tensor> {
        Ok(tensor.to_dtype(DType::F32)?.contiguous()?.to_device(self.device)?)
    }

    /// The norm called `name`.
    pub fn norm(&self, name: &str) -> Result<LayerNorm> {
        let part =
            |part: &str| self.stored(&self.wide(&format!("{name}.{part}"), &[self.plan.width])?);
        let epsilon = self.plan.family.epsilon();
        Ok(LayerNorm { weight: part("weight")?, bias: part("bias")?, epsilon })
    }

    /// The layers called `names` as one, whose outputs lie side by side; they are `outputs` together. `scale` is a vector
    /// that the outputs are multiplied by, and becomes part of the weights.
    pub fn linear(
        &self,
        names: &[String],
        inputs: usize,
        outputs: usize,
        scale: Option<&str>,
    ) -> Result<Linear> {
        let each = outputs / names.len();
        let parts = |part: &str, shape: &[usize]| {
            let tensor = |name: &String| self.wide(&format!("{name}.{part}"), shape);
            Ok::<_, Error>(Tensor::cat(&names.iter().map(tensor).collect::<Result<Vec<_>>>()?, 0)?)
        };
        let (mut weight, mut bias) = (parts("weight", &[each, inputs])?, parts("bias", &[each])?);
        if let Some(scale) = scale {
            let scale = self.wide(scale, &[outputs])?;
            weight = weight.broadcast_mul(&scale.reshape((outputs, 1))?)?;
            bias = (bias * scale)?;
        }
        Ok(Linear { weight: self.stored(&weight)?, bias: Some(self.stored(&bias)?) })
    }
}
