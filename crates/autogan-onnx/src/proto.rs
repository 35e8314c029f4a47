//! These types are the messages of an ONNX file that a generator needs, with the field numbers of `onnx/onnx.proto`.
//!
//! They are written by hand, so that no build needs `protoc`; fields that are not written here are skipped when a file
//! is read.

use candle_core::DType;
use prost::{Message, Oneof};

/// A whole file.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    /// Version of the format.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// The name of the program that wrote the file.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// The version of that program.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// The network.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// Versions of the operators by domain.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// Texts by name.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// A version of a set of operators.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSetIdProto {
    /// The set; empty for ONNX's own.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// Its version.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// A text under a name.
#[derive(Clone, PartialEq, Message)]
pub struct StringStringEntryProto {
    /// The name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The text.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Operators and constants.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    /// Operators, each after those whose values it takes.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// The network's name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Constants.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// The inputs, which the caller gives.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// The outputs, which the caller gets.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
}

/// One operator.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    /// Names of values; empty for an optional one that is left out.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of values.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// The node's own name.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// Its named arguments.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
}

/// Types of attributes, as `AttributeProto.AttributeType` numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum AttributeType {
    /// No type.
    Undefined = 0,
    /// A number.
    Float = 1,
    /// An integer.
    Int = 2,
    /// A text.
    String = 3,
    /// Integers.
    Ints = 7,
}

/// A named argument of an operator; one of the values is there, and the type says which.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// A number.
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    /// An integer.
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// A text.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub s: Option<Vec<u8>>,
    /// Integers.
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
    /// Which of the values is there.
    #[prost(enumeration = "AttributeType", tag = "20")]
    pub kind: i32,
}

impl AttributeProto {
    /// An attribute that holds a number.
    pub fn float(name: &str, value: f32) -> Self {
        Self { f: Some(value), ..Self::new(name, AttributeType::Float) }
    }

    /// An attribute that holds an integer.
    pub fn int(name: &str, value: i64) -> Self {
        Self { i: Some(value), ..Self::new(name, AttributeType::Int) }
    }

    /// An attribute that holds a text.
    pub fn text(name: &str, value: &str) -> Self {
        Self { s: Some(value.into()), ..Self::new(name, AttributeType::String) }
    }

    /// An attribute that holds integers.
    pub fn ints(name: &str, values: &[i64]) -> Self {
        Self { ints: values.to_vec(), ..Self::new(name, AttributeType::Ints) }
    }

    fn new(name: &str, kind: AttributeType) -> Self {
        Self { name: name.to_owned(), kind: kind.into(), ..Self::default() }
    }
}

/// A constant.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// Its shape.
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    /// Type of its elements, as [`element_type`] numbers it.
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Its name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Its elements in row-major order, little-endian.
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
}

/// An input or an output.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its type.
    #[prost(message, optional, tag = "2")]
    pub kind: Option<TypeProto>,
}

/// The type of a value: a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    /// The type of the tensor.
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
}

/// The type of a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct TensorTypeProto {
    /// Type of its elements, as [`element_type`] numbers it.
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// Its shape.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// A shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    /// Its sizes.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

/// One size of a shape.
#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    /// The number, or the name of one that the caller chooses.
    #[prost(oneof = "Size", tags = "1, 2")]
    pub value: Option<Size>,
}

/// A number, or a name for one.
#[derive(Clone, PartialEq, Oneof)]
pub enum Size {
    /// A number.
    #[prost(int64, tag = "1")]
    Value(i64),
    /// A name; the same name is the same number.
    #[prost(string, tag = "2")]
    Param(String),
}

/// `TensorProto.DataType` of the types that models here hold: f32 and i64; 0, undefined, of any other.
pub fn element_type(dtype: DType) -> i32 {
    match dtype {
        DType::F32 => 1,
        DType::I64 => 7,
        _ => 0,
    }
}
