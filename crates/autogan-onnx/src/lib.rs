//! This crate writes generators as ONNX models, for runtimes that know nothing of this project.
//!
//! A model is the network of one architecture in evaluation mode: latents `z` `[N, latent]` to `images`
//! `[N, 3, S, S]` in [-1, 1], any N. Weights are f32 under our tensor names; batch norm uses the running statistics that
//! the generator holds. Operators are those of opset [`OPSET`] of the default domain.
//!
//! Format: the ONNX specification (`onnx/onnx.proto`, `docs/Operators.md` of github.com/onnx/onnx);
//! `scripts/check_onnx.py` holds models to `onnx.checker` and compares their images under onnxruntime.

mod graph;
mod network;
pub mod proto;

use autogan_nn::{Description, Generator, NnError};
use autogan_space::Arch;
use candle_core::DType;
use prost::Message;

use crate::graph::Graph;
use crate::proto::{
    Dimension, ModelProto, OperatorSetIdProto, Size, StringStringEntryProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};

/// Version of the operators: the first with all of these in the form that is used, and old enough for runtimes of 2022.
pub const OPSET: i64 = 17;
/// Version of the file format that belongs to [`OPSET`].
const IR_VERSION: i64 = 8;
/// Name of the input.
pub const INPUT: &str = "z";
/// Name of the output.
pub const OUTPUT: &str = "images";

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a model could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The network lacks a tensor that the architecture uses.
    #[error(
        "the network has no {name}, which the architecture {arch} uses: it was derived for another architecture; export \
         it with its own, or from a supernet"
    )]
    Missing {
        /// The tensor.
        name: String,
        /// The released vector.
        arch: String,
    },
    /// A tensor could not be read.
    #[error("{name}: {source}")]
    Tensor {
        /// The tensor.
        name: String,
        /// candle's error.
        source: candle_core::Error,
    },
    /// The bytes are no model.
    #[error("expected an ONNX model, found something else: {0}")]
    Decode(#[from] prost::DecodeError),
    /// The network's own error.
    #[error(transparent)]
    Network(#[from] NnError),
}

/// The model of `arch` with the weights of `generator`, a supernet or the network derived for it.
///
/// # Errors
/// When the network lacks a part that the architecture uses, or a tensor cannot be read.
pub fn model(generator: &Generator, arch: &Arch) -> Result<ModelProto> {
    let config = generator.config();
    let mut graph = Graph::new(generator.params(), arch);
    network::generator(&mut graph, config, arch)?;
    let side = config.bottom << arch.cells().len();
    let mut graph = graph.proto;
    graph.input = vec![tensor(INPUT, &[None, Some(config.latent)])];
    graph.output = vec![tensor(OUTPUT, &[None, Some(3), Some(side), Some(side)])];
    let description = Description { arch: arch.clone(), rules: config.rules };
    let metadata = description.entries().into_iter();
    Ok(ModelProto {
        ir_version: IR_VERSION,
        producer_name: "autogan".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: metadata
            .map(|(key, value)| StringStringEntryProto { key: key.to_owned(), value })
            .collect(),
    })
}

/// [`model`] as the bytes of an `.onnx` file.
///
/// # Errors
/// As [`model`].
pub fn export(generator: &Generator, arch: &Arch) -> Result<Vec<u8>> {
    Ok(model(generator, arch)?.encode_to_vec())
}

/// The model in the bytes of an `.onnx` file; what it holds beyond the messages of [`proto`] is left out.
///
/// # Errors
/// When they are no such file.
pub fn read(bytes: &[u8]) -> Result<ModelProto> {
    Ok(ModelProto::decode(bytes)?)
}

/// An input or output of f32; `None` is the size of the batch.
fn tensor(name: &str, dims: &[Option<usize>]) -> ValueInfoProto {
    let size = |size: &Option<usize>| match size {
        Some(size) => Size::Value(*size as i64),
        None => Size::Param("N".to_owned()),
    };
    let dim = |dim: &Option<usize>| Dimension { value: Some(size(dim)) };
    let shape = TensorShapeProto { dim: dims.iter().map(dim).collect() };
    let tensor = TensorTypeProto { elem_type: proto::element_type(DType::F32), shape: Some(shape) };
    ValueInfoProto { name: name.to_owned(), kind: Some(TypeProto { tensor_type: Some(tensor) }) }
}
