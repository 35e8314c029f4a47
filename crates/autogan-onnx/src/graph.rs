//! A [`Graph`] is built here: a method for each operator; each constant is held once, under the name of our tensor.
//!
//! Values are named after the node that makes them, with `/` where tensors have `.`, so that no value has the name of a
//! tensor. Sources: the entries of `docs/Operators.md` of github.com/onnx/onnx, each at the version that opset 17 has.

use std::collections::BTreeSet;

use autogan_nn::Params;
use autogan_space::{Arch, Upsample};
use candle_core::DType;

use crate::proto::{AttributeProto, GraphProto, NodeProto, TensorProto, element_type};
use crate::{Error, Result};

/// The number that is added to every variance, in batch and instance norm, as PyTorch does.
const EPS: f32 = 1e-5;

/// The name of a value on its way through the graph.
pub(crate) type Value = String;

/// A graph that grows.
pub(crate) struct Graph<'a> {
    /// Nodes and constants so far; input and output are the caller's to add.
    pub proto: GraphProto,
    params: &'a Params,
    arch: &'a Arch,
    named: BTreeSet<String>,
}

impl<'a> Graph<'a> {
    /// A graph without nodes, whose constants will come from `params`.
    pub fn new(params: &'a Params, arch: &'a Arch) -> Self {
        let proto = GraphProto { name: "generator".to_owned(), ..GraphProto::default() };
        Self { proto, params, arch, named: BTreeSet::new() }
    }

    /// Adds a linear layer: `[N, I]` to `[N, O]`.
    pub fn linear(&mut self, layer: &str, x: &str) -> Result<Value> {
        let (weight, bias) = self.weights(layer)?;
        let attributes = vec![AttributeProto::int("transB", 1)];
        Ok(self.node("Gemm", path(layer), &[x, &weight, &bias], attributes))
    }

    /// Adds a change of shape: `[N, C·H·W]` to `[N, C, H, W]`.
    pub fn reshape(&mut self, name: &str, x: &str, [c, h, w]: [usize; 3]) -> Value {
        let shape = format!("{name}.shape");
        let sizes = [-1, c as i64, h as i64, w as i64];
        self.constant(&shape, &[4], DType::I64, sizes.map(i64::to_le_bytes).concat());
        self.node("Reshape", path(name), &[x, &shape], Vec::new())
    }

    /// A convolution with stride 1 and "same" padding.
    pub fn conv(&mut self, layer: &str, x: &str, kernel: usize) -> Result<Value> {
        let (weight, bias) = self.weights(layer)?;
        let (side, pad) = (kernel as i64, (kernel / 2) as i64);
        let attributes = vec![
            AttributeProto::ints("kernel_shape", &[side; 2]),
            AttributeProto::ints("pads", &[pad; 4]),
        ];
        Ok(self.node("Conv", path(layer), &[x, &weight, &bias], attributes))
    }

    /// A transposed convolution 2x2 with stride 2.
    pub fn deconv(&mut self, layer: &str, x: &str) -> Result<Value> {
        let (weight, bias) = self.weights(layer)?;
        let attributes = vec![
            AttributeProto::ints("kernel_shape", &[2; 2]),
            AttributeProto::ints("strides", &[2; 2]),
        ];
        Ok(self.node("ConvTranspose", path(layer), &[x, &weight, &bias], attributes))
    }

    /// Batch norm by the running statistics.
    pub fn batch_norm(&mut self, layer: &str, x: &str) -> Result<Value> {
        let (weight, bias) = self.weights(layer)?;
        let mean = self.tensor(format!("{layer}.running_mean"))?;
        let var = self.tensor(format!("{layer}.running_var"))?;
        let attributes = vec![AttributeProto::float("epsilon", EPS)];
        let inputs = [x, &weight, &bias, &mean, &var];
        Ok(self.node("BatchNormalization", path(layer), &inputs, attributes))
    }

    /// Instance norm of `channels` without parameters of its own.
    pub fn instance_norm(&mut self, name: &str, x: &str, channels: usize) -> Value {
        let (one, zero) = ("instance_norm.weight", "instance_norm.bias");
        for (constant, value) in [(one, 1.0), (zero, 0.0)] {
            self.floats(constant, &vec![value; channels]);
        }
        let attributes = vec![AttributeProto::float("epsilon", EPS)];
        self.node("InstanceNormalization", path(name), &[x, one, zero], attributes)
    }

    /// The image, `factor` times as large; for `attributes` see [`resize_attributes`].
    pub fn resize(
        &mut self,
        name: &str,
        x: &str,
        attributes: Vec<AttributeProto>,
        factor: usize,
    ) -> Value {
        let scales = format!("scales_x{factor}");
        self.floats(&scales, &[1.0, 1.0, factor as f32, factor as f32]);
        // The second input is for another mode.
        self.node("Resize", path(name), &[x, "", &scales], attributes)
    }

    /// The sum of two values of one shape.
    pub fn add(&mut self, name: &str, a: &str, b: &str) -> Value {
        self.node("Add", path(name), &[a, b], Vec::new())
    }

    /// max(x, 0).
    pub fn relu(&mut self, name: &str, x: &str) -> Value {
        self.node("Relu", path(name), &[x], Vec::new())
    }

    /// tanh(x), under the name of the graph's output.
    pub fn tanh(&mut self, output: &str, x: &str) -> Value {
        self.node("Tanh", output.to_owned(), &[x], Vec::new())
    }

    fn node(
        &mut self,
        op: &str,
        name: String,
        inputs: &[&str],
        attribute: Vec<AttributeProto>,
    ) -> Value {
        self.proto.node.push(NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: op.to_owned(),
            attribute,
        });
        name
    }

    /// Weight and bias of a layer.
    fn weights(&mut self, layer: &str) -> Result<(String, String)> {
        Ok((self.tensor(format!("{layer}.weight"))?, self.tensor(format!("{layer}.bias"))?))
    }

    /// One of the network's tensors as a constant.
    fn tensor(&mut self, name: String) -> Result<String> {
        let var = self
            .params
            .get(&name)
            .ok_or_else(|| Error::Missing { name: name.clone(), arch: self.arch.to_string() })?;
        if !self.named.contains(&name) {
            let values = var.as_detached_tensor().flatten_all();
            let values = values.and_then(|values| values.to_dtype(DType::F32)?.to_vec1::<f32>());
            let values = values.map_err(|source| Error::Tensor { name: name.clone(), source })?;
            self.constant(&name, var.dims(), DType::F32, bytes(&values));
        }
        Ok(name)
    }

    fn floats(&mut self, name: &str, values: &[f32]) {
        self.constant(name, &[values.len()], DType::F32, bytes(values));
    }

    /// Adds a constant, unless one of this name is there.
    fn constant(&mut self, name: &str, dims: &[usize], dtype: DType, raw_data: Vec<u8>) {
        if !self.named.insert(name.to_owned()) {
            return;
        }
        self.proto.initializer.push(TensorProto {
            dims: dims.iter().map(|&size| size as i64).collect(),
            data_type: element_type(dtype),
            name: name.to_owned(),
            raw_data,
        });
    }
}

/// The attributes of `Resize` for an upsampling that has no weights; `None` for the one that has.
pub(crate) fn resize_attributes(up: Upsample) -> Option<Vec<AttributeProto>> {
    let text = AttributeProto::text;
    let mode = "coordinate_transformation_mode";
    match up {
        // Half-pixel centres, edges repeated.
        Upsample::Bilinear => Some(vec![text("mode", "linear"), text(mode, "half_pixel")]),
        // Each pixel repeated.
        Upsample::Nearest => {
            let floor = text("nearest_mode", "floor");
            Some(vec![text("mode", "nearest"), text(mode, "asymmetric"), floor])
        }
        Upsample::Deconv => None,
    }
}

/// The name of a layer's result: the layer's name with `/` in place of `.`.
fn path(layer: &str) -> Value {
    layer.replace('.', "/")
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
