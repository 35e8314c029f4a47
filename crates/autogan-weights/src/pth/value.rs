//! Values that a pickle builds: kept in one arena and named by index, so that shared and cyclic
//! structures cost nothing and nothing is dropped recursively.

use super::numpy::Scalar;
use crate::element::Element;
use std::rc::Rc;

/// Index of a value in the arena.
pub(super) type Id = usize;

/// Globals that PyTorch names in state dicts; no other is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch._utils._rebuild_tensor_v2`.
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`.
    RebuildParameter,
    /// `torch.FloatStorage` and its kin, also under `torch.cuda`.
    Storage(Element),
    /// `torch.Size`.
    Size,
    /// `numpy.dtype`.
    NumpyDtype,
    /// `numpy.core.multiarray.scalar`.
    NumpyScalar,
    /// `_codecs.encode`, which stands for bytes.
    Encode,
}

impl Global {
    /// Looks a global up in the list of those that are known.
    pub fn find(module: &str, name: &str) -> Option<Global> {
        match (module, name) {
            ("collections", "OrderedDict") => Some(Global::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Some(Global::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Some(Global::RebuildParameter),
            ("torch", "Size") => Some(Global::Size),
            ("numpy", "dtype") => Some(Global::NumpyDtype),
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => {
                Some(Global::NumpyScalar)
            }
            ("_codecs", "encode") => Some(Global::Encode),
            ("torch" | "torch.cuda", class) => {
                Element::from_storage_class(class).map(Global::Storage)
            }
            _ => None,
        }
    }
}

/// A storage: where a tensor's elements are.
#[derive(Debug, Clone)]
pub(super) struct StorageRef {
    /// Its key in the container.
    pub key: Rc<str>,
    /// Its element type.
    pub element: Element,
    /// Its number of elements.
    pub count: u64,
}

/// A tensor: a strided view of a storage, known to lie inside it.
#[derive(Debug, Clone)]
pub(super) struct TensorRef {
    /// The storage.
    pub storage: StorageRef,
    /// First element in the storage.
    pub offset: u64,
    /// Shape.
    pub dims: Vec<usize>,
    /// Distance of neighbours along each dimension, in elements.
    pub strides: Vec<u64>,
    /// Where in the pickle it was built, for errors.
    pub at: u64,
}

impl TensorRef {
    /// Bytes that the tensor takes on its own; its element count was checked for overflow.
    pub fn bytes(&self) -> u64 {
        let count: usize = self.dims.iter().product();
        (count as u64).saturating_mul(self.storage.element.size() as u64)
    }
}

/// A value.
#[derive(Debug)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    Bytes(Vec<u8>),
    Scalar(Scalar),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(StorageRef),
    Tensor(TensorRef),
}

impl Value {
    /// The value's kind, for errors.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Text(_) => "a string",
            Value::Bytes(_) => "bytes",
            Value::Scalar(_) => "a numpy dtype",
            Value::Tuple(_) => "a tuple",
            Value::List(_) => "a list",
            Value::Dict(_) => "a dictionary",
            Value::Global(_) => "a class or function",
            Value::Storage(_) => "a storage",
            Value::Tensor(_) => "a tensor",
        }
    }
}

/// What a finished pickle leaves: the arena and the value at its root.
#[derive(Debug)]
pub(super) struct Pickled {
    pub values: Vec<Value>,
    pub root: Id,
}

impl Pickled {
    /// The value at the root.
    pub fn root(&self) -> &Value {
        &self.values[self.root]
    }
}
