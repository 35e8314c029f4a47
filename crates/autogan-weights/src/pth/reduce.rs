//! What REDUCE builds: the few calls that state dicts contain, as plain data.

use super::machine::Machine;
use super::numpy::{self, Scalar};
use super::value::{Global, Id, TensorRef, Value};
use crate::error::Fault;
use crate::limits;

/// The value of `callable(*arguments)`.
pub(super) fn call(
    machine: &mut Machine,
    callable: Id,
    arguments: Id,
    at: u64,
) -> Result<Id, Fault> {
    let (callable, arguments) = (&machine.values[callable], &machine.values[arguments]);
    let Value::Tuple(arguments) = arguments else {
        return Err(Fault::new(at, "a tuple of arguments", arguments.kind()));
    };
    match (callable, &arguments[..]) {
        (Value::Global(Global::OrderedDict), []) => machine.add(Value::Dict(Vec::new()), at),
        (Value::Global(Global::OrderedDict), &[pairs]) => dict_of_pairs(machine, pairs, at),
        (Value::Global(Global::Size), &[dims]) => Ok(dims),
        (Value::Global(Global::NumpyDtype), &[code, ..]) => {
            let dtype = Scalar::from_code(&machine.values[code], at)?;
            machine.add(Value::Scalar(dtype), at)
        }
        (Value::Global(Global::NumpyScalar), &[dtype, bytes]) => {
            let number = match (&machine.values[dtype], &machine.values[bytes]) {
                (Value::Scalar(dtype), Value::Bytes(bytes)) => dtype.read(bytes, at)?,
                (dtype, _) => return Err(Fault::new(at, "a numpy dtype and bytes", dtype.kind())),
            };
            machine.add(number, at)
        }
        (Value::Global(Global::Encode), &[text, codec]) => {
            let bytes = numpy::encode(&machine.values[text], &machine.values[codec], at)?;
            if let Value::Bytes(bytes) = &bytes {
                machine.spend(bytes.len(), at)?;
            }
            machine.add(bytes, at)
        }
        (Value::Global(Global::RebuildParameter), &[data, ..]) => Ok(data),
        (Value::Global(Global::RebuildTensor), &[storage, offset, size, stride, ..]) => {
            let tensor = rebuild_tensor(machine, [storage, offset, size, stride], at)?;
            machine.add(Value::Tensor(tensor), at)
        }
        (Value::Global(global), arguments) => Err(Fault::new(
            at,
            "a call as torch.save writes it",
            format!("{global:?} with {} arguments", arguments.len()),
        )),
        (other, _) => Err(Fault::new(at, "a global to call", other.kind())),
    }
}

/// Python 2 pickles an `OrderedDict` as a list of pairs.
fn dict_of_pairs(machine: &mut Machine, pairs: Id, at: u64) -> Result<Id, Fault> {
    let Value::List(items) = &machine.values[pairs] else {
        return Err(Fault::new(at, "a list of pairs", machine.values[pairs].kind()));
    };
    let entries = items
        .iter()
        .map(|id| match &machine.values[*id] {
            Value::List(pair) | Value::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            other => Err(Fault::new(at, "a pair of key and value", other.kind())),
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    machine.spend(entries.len(), at)?;
    machine.add(Value::Dict(entries), at)
}

/// `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)`; the tensor must lie
/// inside its storage.
fn rebuild_tensor(machine: &Machine, parts: [Id; 4], at: u64) -> Result<TensorRef, Fault> {
    let [storage, offset, size, stride] = parts.map(|id| &machine.values[id]);
    let Value::Storage(storage) = storage else {
        return Err(Fault::new(at, "a storage as a tensor's first part", storage.kind()));
    };
    let Value::Int(offset @ 0..) = offset else {
        return Err(Fault::new(at, "a tensor's offset, 0 or more", format!("{offset:?}")));
    };
    let dims = numbers(machine, size, "a tensor's shape", at)?;
    let strides = numbers(machine, stride, "a tensor's strides", at)?;
    let tensor = TensorRef {
        storage: storage.clone(),
        offset: *offset as u64,
        dims: dims.iter().map(|d| *d as usize).collect(),
        strides,
        at,
    };
    check_extent(&tensor)?;
    Ok(tensor)
}

fn numbers(machine: &Machine, value: &Value, what: &str, at: u64) -> Result<Vec<u64>, Fault> {
    let (Value::Tuple(items) | Value::List(items)) = value else {
        return Err(Fault::new(at, format!("{what}, a tuple"), value.kind()));
    };
    if items.len() > limits::DIMS {
        let wanted = format!("{what}, at most {} numbers", limits::DIMS);
        return Err(Fault::new(at, wanted, format!("{}", items.len())));
    }
    items
        .iter()
        .map(|id| match &machine.values[*id] {
            Value::Int(n @ 0..) => Ok(*n as u64),
            other => {
                Err(Fault::new(at, format!("{what}, numbers of 0 or more"), format!("{other:?}")))
            }
        })
        .collect()
}

/// Checks that the highest element lies in the storage and that the element count fits.
fn check_extent(tensor: &TensorRef) -> Result<(), Fault> {
    let fault = |found: String| {
        let wanted = format!(
            "a tensor inside its storage {:?} of {} elements",
            tensor.storage.key, tensor.storage.count
        );
        Err(Fault::new(tensor.at, wanted, found))
    };
    let (dims, strides) = (&tensor.dims, &tensor.strides);
    let shown = format!("offset {}, shape {dims:?}, strides {strides:?}", tensor.offset);
    if dims.len() != strides.len() {
        return fault(shown);
    }
    // Zero dimensions are left out of the product, so that it bounds every partial product too.
    let count = dims
        .iter()
        .filter(|d| **d > 0)
        .try_fold(tensor.storage.element.size(), |n, d| n.checked_mul(*d));
    if count.is_none() {
        return fault(shown);
    }
    if dims.contains(&0) {
        return Ok(());
    }
    let last = dims.iter().zip(strides).try_fold(tensor.offset, |last, (dim, stride)| {
        (*dim as u64 - 1).checked_mul(*stride)?.checked_add(last)
    });
    match last {
        Some(last) if last < tensor.storage.count => Ok(()),
        _ => fault(shown),
    }
}
