//! These functions give the same elements in another shape or order.

use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::{Layout, Result, Shape, Storage, Tensor};

use crate::host::{Storages, with_storages};
use crate::tape::{check, note, output, recording, tracked};

/// The same elements in another shape.
///
/// # Errors
/// When the shapes have different numbers of elements.
pub fn reshape(x: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let y = x.reshape(shape)?;
    let from = x.shape().clone();
    note(&[x], &y, Box::new(move |dy| Ok(vec![Some(dy.reshape(from)?)])))?;
    Ok(y)
}

/// The dimensions in another order, contiguous.
///
/// # Errors
/// When `order` does not name each dimension once.
pub fn permute(x: &Tensor, order: &[usize]) -> Result<Tensor> {
    if !recording() || !tracked(x) {
        return x.permute(order)?.contiguous();
    }
    check(&[x])?;
    // candle's own copy is not used: it would keep `x` as long as its result lives.
    let view = x.detach().permute(order)?;
    let made = with_storages("permute", view.device(), &[&view], |open| {
        Ok(match open {
            Storages::Cpu(from) => Storage::Cpu(copied(from[0])?),
            Storages::Cuda(from) => Storage::Cuda(copied(from[0])?),
        })
    })?;
    let y = output((made, view.shape().clone()))?;
    let mut back = vec![0; order.len()];
    for (to, &from) in order.iter().enumerate() {
        back[from] = to;
    }
    let back = move |dy: &Tensor| Ok(vec![Some(dy.permute(back.as_slice())?.contiguous()?)]);
    note(&[x], &y, Box::new(back))?;
    Ok(y)
}

/// The elements in the order of a layout.
fn copied<S>((from, layout): (&S, &Layout)) -> Result<S>
where
    S: BackendStorage,
    S::Device: BackendDevice<Storage = S>,
{
    let shape: &Shape = layout.shape();
    // SAFETY: the copy below writes every element.
    let mut to = unsafe { from.device().alloc_uninit(shape, from.dtype())? };
    from.copy_strided_src(&mut to, 0, layout)?;
    Ok(to)
}

/// Vectors one after the other: `[A]`, `[B]`, … → `[A + B + …]`.
///
/// # Errors
/// When they are not vectors of one element type.
pub fn concat(vectors: &[&Tensor]) -> Result<Tensor> {
    let y = Tensor::cat(vectors, 0)?;
    let lengths: Vec<usize> = vectors.iter().map(|v| v.elem_count()).collect();
    let back = move |dy: &Tensor| {
        let mut at = 0;
        let part = |&length: &usize| {
            at += length;
            Ok(Some(dy.narrow(0, at - length, length)?.contiguous()?))
        };
        lengths.iter().map(part).collect()
    };
    note(vectors, &y, Box::new(back))?;
    Ok(y)
}
