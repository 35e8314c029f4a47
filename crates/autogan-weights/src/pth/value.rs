//! This module finds tensors and storages in a pickle of PyTorch: it knows the few calls that stand for a tensor.

use crate::element::Element;
use autogan_files::Fault;
use autogan_files::pickle::{Id, MAX_DIMS, Number, Pickle, Value};

/// Most calls around a tensor that are looked through, such as that of a parameter.
const HOPS: usize = 8;

/// Longest key of a storage; PyTorch's are decimal numbers.
pub(super) const KEY_BYTES: usize = 64;

/// A storage: where a tensor's elements are.
#[derive(Debug, Clone)]
pub(super) struct StorageRef {
    /// Its key in the container.
    pub key: String,
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
    pub offset: usize,
    /// Shape.
    pub dims: Vec<usize>,
    /// Distance of neighbours along each dimension, in elements.
    pub strides: Vec<usize>,
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

/// What a value of a pickle is.
#[derive(Debug)]
pub(super) enum ValueKind {
    Tensor(TensorRef),
    /// A tensor that cannot be read: what it is.
    Unread(String),
    /// Something else than a tensor.
    Other,
}

/// Reads a value as a tensor.
///
/// `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)` is what PyTorch
/// writes, with a dictionary behind it for a view whose values are not those of the storage; `_rebuild_tensor`,
/// without the last two, is what it wrote before 0.4; parameters, and tensors with attributes of their own, wrap one of
/// these.
pub(super) fn tensor(pickle: &Pickle<'_>, mut id: Id) -> Result<ValueKind, Fault> {
    let at = pickle.offset(id);
    for _ in 0..HOPS {
        let Some(called) = pickle.called(id) else { return Ok(ValueKind::Other) };
        let mut name = (called.module, called.name);
        let mut arguments = called.arguments;
        if name == ("torch._tensor", "_rebuild_from_type_v2") {
            // (function, class, arguments, state)
            let &[function, _, inner, ..] = arguments else { return Ok(ValueKind::Other) };
            name = pickle.global(function).unwrap_or_default();
            arguments = pickle.items(inner).unwrap_or_default();
        }
        match (name, arguments) {
            (
                ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state"),
                [data, ..],
            ) => id = *data,
            (
                ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2"),
                &[storage, offset, size, stride, ref rest @ ..],
            ) => {
                let bit = rest.get(2).map(|&metadata| set_bit(pickle, metadata)).transpose()?;
                return match bit.flatten() {
                    Some(bit) => Ok(ValueKind::Unread(format!(
                        "a tensor with its bit {bit:?} set: save tensor.resolve_{bit}()"
                    ))),
                    None => view(pickle, [storage, offset, size, stride], at),
                };
            }
            (("torch._utils", name), _) if name.starts_with("_rebuild_") => {
                return Ok(ValueKind::Unread(format!("a tensor that torch._utils.{name} builds")));
            }
            _ => return Ok(ValueKind::Other),
        }
    }
    Ok(ValueKind::Other)
}

/// The bit of a tensor's metadata that says that its values are others than those of its storage: negated ones, or
/// conjugates.
fn set_bit(pickle: &Pickle<'_>, metadata: Id) -> Result<Option<String>, Fault> {
    let entries = pickle.entries(metadata)?;
    let mut entries = entries.iter().flat_map(|entries| entries.iter());
    let set = entries.find(|(_, value)| pickle.number(*value) == Some(Number::Bool(true)));
    Ok(set.and_then(|(key, _)| pickle.text(*key)).map(std::borrow::Cow::into_owned))
}

/// Reads a view of a storage, which must lie inside it.
fn view(pickle: &Pickle<'_>, parts: [Id; 4], at: u64) -> Result<ValueKind, Fault> {
    let [storage, offset, size, stride] = parts;
    let storage = match StorageRecord::read(pickle, storage)? {
        StorageRecord { element: Some(element), key, count, inside: false, .. } => {
            StorageRef { key, element, count }
        }
        StorageRecord { inside: true, .. } => {
            return Ok(ValueKind::Unread("a tensor in a storage that is a part of another".into()));
        }
        StorageRecord { class, .. } => {
            return Ok(ValueKind::Unread(format!("a tensor of torch.{class}")));
        }
    };
    let tensor = TensorRef {
        storage,
        offset: number(pickle, offset, "a tensor's offset")?,
        dims: numbers(pickle, size, "a tensor's shape")?,
        strides: numbers(pickle, stride, "a tensor's strides")?,
        at,
    };
    check_extent(&tensor)?;
    Ok(ValueKind::Tensor(tensor))
}

fn number(pickle: &Pickle<'_>, id: Id, what: &str) -> Result<usize, Fault> {
    match pickle.number(id) {
        Some(Number::Int(number)) => usize::try_from(number).ok(),
        _ => None,
    }
    .ok_or_else(|| pickle.wrong(id, format!("{what}, 0 or more")))
}

fn numbers(pickle: &Pickle<'_>, id: Id, what: &str) -> Result<Vec<usize>, Fault> {
    let items = pickle.items(id).ok_or_else(|| pickle.wrong(id, format!("{what}, a tuple")))?;
    if items.len() > MAX_DIMS {
        let wanted = format!("{what}, at most {MAX_DIMS} numbers");
        return Err(pickle.unlike(id, wanted, format!("{}", items.len())));
    }
    items.iter().map(|&item| number(pickle, item, what)).collect()
}

/// Checks that the highest element lies in the storage and that the element count fits.
fn check_extent(tensor: &TensorRef) -> Result<(), Fault> {
    let (dims, strides) = (&tensor.dims, &tensor.strides);
    // Zero dimensions are left out of the product, so that it bounds every partial product too.
    let mut filled = dims.iter().filter(|d| **d > 0);
    let count = filled.try_fold(tensor.storage.element.size(), |n, d| n.checked_mul(*d));
    let last = dims.iter().zip(strides).try_fold(tensor.offset, |last, (dim, stride)| {
        dim.saturating_sub(1).checked_mul(*stride)?.checked_add(last)
    });
    let inside = dims.contains(&0) || last.is_some_and(|last| (last as u64) < tensor.storage.count);
    if dims.len() == strides.len() && count.is_some() && inside {
        return Ok(());
    }
    let StorageRef { key, count, .. } = &tensor.storage;
    let wanted = format!("a tensor inside its storage {key:?} of {count} elements");
    let found = format!("offset {}, shape {dims:?}, strides {strides:?}", tensor.offset);
    Err(Fault::new(tensor.at, wanted, found))
}

/// What a pickle says of a storage, whether or not it can be read.
#[derive(Debug)]
pub(super) struct StorageRecord {
    class: String,
    pub key: String,
    element: Option<Element>,
    count: u64,
    /// Whether it is a part of another storage.
    inside: bool,
}

impl StorageRecord {
    /// A persistent id is `("storage", class, key, device, element count[, view])`.
    pub fn read(pickle: &Pickle<'_>, id: Id) -> Result<Self, Fault> {
        let wanted = "a storage reference (\"storage\", class, key, device, count)";
        let Value::Persistent(parts) = pickle.value(id) else {
            return Err(pickle.wrong(id, wanted));
        };
        let wrong = || pickle.wrong(*parts, wanted);
        let (tag, class, key, count, view) = match *pickle.items(*parts).unwrap_or_default() {
            [tag, class, key, _, count] => (tag, class, key, count, None),
            [tag, class, key, _, count, view] => (tag, class, key, count, Some(view)),
            _ => return Err(wrong()),
        };
        let inside = view.is_some_and(|view| !matches!(pickle.value(view), Value::None));
        match (pickle.global(class), pickle.text(key), pickle.number(count)) {
            (
                Some(("torch" | "torch.cuda" | "torch.storage", class)),
                Some(key),
                Some(Number::Int(count @ 0..)),
            ) if key.len() <= KEY_BYTES && pickle.text(tag).as_deref() == Some("storage") => {
                Ok(StorageRecord {
                    class: class.to_owned(),
                    key: key.into_owned(),
                    element: Element::from_storage_class(class),
                    count: count as u64,
                    inside,
                })
            }
            _ => Err(wrong()),
        }
    }

    /// Bytes of one element, also of types that are not read; `None` for unknown ones.
    pub fn element_size(&self) -> Option<u64> {
        if let Some(element) = self.element {
            return Some(element.size() as u64);
        }
        match &*self.class {
            "CharStorage" | "QInt8Storage" | "QUInt8Storage" | "UntypedStorage" => Some(1),
            "QInt32Storage" => Some(4),
            "ComplexFloatStorage" => Some(8),
            "ComplexDoubleStorage" => Some(16),
            _ => None,
        }
    }
}
