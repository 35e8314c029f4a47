//! The named tensors of a network: trainable parameters and buffers, always in the order of their
//! names.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Shape, Tensor, Var};
use rand::Rng;

use crate::{Init, NnError, Result};

#[derive(Debug, Clone)]
struct Entry {
    var: Var,
    init: Init,
}

/// Parameters and buffers of one network under their released names.
///
/// Parameters are what an optimiser steps; buffers are batch norm's running statistics and counters
/// and spectral norm's vectors. A clone shares the tensors.
#[derive(Debug, Clone)]
pub struct Params {
    trainable: BTreeMap<String, Entry>,
    buffers: BTreeMap<String, Entry>,
    dtype: DType,
    device: Device,
}

impl Params {
    /// The parameters that an optimiser steps, in the order of their names.
    pub fn trainable(&self) -> Vec<(&str, &Var)> {
        self.trainable.iter().map(|(name, e)| (name.as_str(), &e.var)).collect()
    }

    /// The buffers, in the order of their names.
    pub fn buffers(&self) -> Vec<(&str, &Var)> {
        self.buffers.iter().map(|(name, e)| (name.as_str(), &e.var)).collect()
    }

    /// Parameters and buffers together, in the order of their names.
    pub fn all(&self) -> Vec<(&str, &Var)> {
        let mut all = self.trainable();
        all.extend(self.buffers());
        all.sort_by_key(|(name, _)| *name);
        all
    }

    /// The parameter or buffer of this name.
    pub fn get(&self, name: &str) -> Option<&Var> {
        self.trainable.get(name).or_else(|| self.buffers.get(name)).map(|e| &e.var)
    }

    /// The number of trainable values.
    pub fn count(&self) -> u64 {
        self.trainable.values().map(|e| e.var.elem_count() as u64).sum()
    }

    /// Element type of the parameters (counters are i64).
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Where the tensors live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Copies every tensor of `self` from the tensor of the same name in `source`, which may hold
    /// more.
    ///
    /// # Errors
    /// When `source` lacks one of them or has it in another shape.
    pub fn copy_from(&self, source: &Params) -> Result<()> {
        for (name, var) in self.all() {
            let from =
                source.get(name).ok_or_else(|| NnError::NotInSource { name: name.to_owned() })?;
            assign(var, from.as_tensor())?;
        }
        Ok(())
    }

    /// Draws every tensor anew in place, parameters and buffers together in the order of their
    /// names.
    pub(crate) fn reset(&self, rng: &mut (impl Rng + ?Sized)) -> Result<()> {
        let mut all: Vec<(&String, &Entry)> =
            self.trainable.iter().chain(self.buffers.iter()).collect();
        all.sort_by_key(|(name, _)| *name);
        for (_, Entry { var, init }) in all {
            let values = init.draw(var.elem_count(), rng);
            write(var, &values)?;
        }
        Ok(())
    }
}

/// Sets a variable from a tensor of the same shape, on any device and of any element type.
///
/// # Errors
/// When the shapes differ.
pub(crate) fn assign(var: &Var, value: &Tensor) -> Result<()> {
    let value = value.detach().to_dtype(var.dtype())?.to_device(var.device())?;
    Ok(var.set(&value)?)
}

/// A copy of a variable as f64, where it lies.
pub(crate) fn doubles(var: &Var) -> Result<Tensor> {
    let value = var.as_detached_tensor();
    // A conversion to the same type would share the memory, which later steps change.
    Ok(if value.dtype() == DType::F64 { value.copy()? } else { value.to_dtype(DType::F64)? })
}

/// Sets a variable from values in row-major order.
///
/// # Errors
/// When there are more or fewer of them than the variable has.
pub(crate) fn write(var: &Var, values: &[f64]) -> Result<()> {
    assign(var, &Tensor::from_slice(values, var.shape(), &Device::Cpu)?)
}

/// Collects the tensors of a network while its layers are built.
///
/// Values are drawn afterwards, in the order of the names, so that they do not depend on the order
/// in which layers are put together.
pub(crate) struct Builder {
    params: Params,
}

impl Builder {
    pub fn new(dtype: DType, device: &Device) -> Result<Self> {
        if !matches!(dtype, DType::F32 | DType::F64) {
            return Err(NnError::Config {
                field: "dtype",
                expected: "F32 or F64".to_owned(),
                found: format!("{dtype:?}"),
            });
        }
        Ok(Self {
            params: Params {
                trainable: BTreeMap::new(),
                buffers: BTreeMap::new(),
                dtype,
                device: device.clone(),
            },
        })
    }

    /// A trainable tensor.
    pub fn param(&mut self, name: String, shape: impl Into<Shape>, init: Init) -> Result<Var> {
        let var = Var::zeros(shape, self.params.dtype, &self.params.device)?;
        self.params.trainable.insert(name, Entry { var: var.clone(), init });
        Ok(var)
    }

    /// A tensor that no optimiser steps.
    pub fn buffer(&mut self, name: String, shape: impl Into<Shape>, init: Init) -> Result<Var> {
        let var = Var::zeros(shape, self.params.dtype, &self.params.device)?;
        self.params.buffers.insert(name, Entry { var: var.clone(), init });
        Ok(var)
    }

    /// A count, i64, from zero.
    pub fn counter(&mut self, name: String) -> Result<Var> {
        let var = Var::zeros((), DType::I64, &self.params.device)?;
        self.params.buffers.insert(name, Entry { var: var.clone(), init: Init::Zeros });
        Ok(var)
    }

    /// The finished store, all zeros until [`Params::reset`] or [`Params::copy_from`].
    pub fn finish(self) -> Params {
        self.params
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn store(names: [&str; 2]) -> Params {
        let mut builder = Builder::new(DType::F64, &Device::Cpu).unwrap();
        for name in names {
            builder.param(name.to_owned(), 3, Init::Uniform { fan_in: 4 }).unwrap();
        }
        builder.buffer("b.mean".to_owned(), 2, Init::Ones).unwrap();
        builder.counter("b.count".to_owned()).unwrap();
        let params = builder.finish();
        params.reset(&mut ChaCha8Rng::seed_from_u64(5)).unwrap();
        params
    }

    #[test]
    fn draws_follow_the_names_not_the_order_of_building() {
        let (ab, ba) = (store(["a", "c"]), store(["c", "a"]));
        for ((name, x), (_, y)) in ab.trainable().iter().zip(ba.trainable()) {
            assert_eq!(x.to_vec1::<f64>().unwrap(), y.to_vec1::<f64>().unwrap(), "{name}");
        }
        assert_eq!(ab.count(), 6);
        let names: Vec<&str> = ab.all().iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["a", "b.count", "b.mean", "c"]);
    }

    #[test]
    fn copies_are_complete_or_refused() {
        let (a, b) = (store(["a", "c"]), store(["a", "d"]));
        assert!(matches!(a.copy_from(&b), Err(NnError::NotInSource { name }) if name == "c"));
        let zeros = Tensor::zeros(3, DType::F64, &Device::Cpu).unwrap();
        a.get("a").unwrap().set(&zeros).unwrap();
        let c = store(["a", "c"]);
        c.copy_from(&a).unwrap();
        assert_eq!(c.get("a").unwrap().to_vec1::<f64>().unwrap(), [0.0; 3]);
        a.get("a").unwrap().set(&zeros.ones_like().unwrap()).unwrap();
        assert_eq!(c.get("a").unwrap().to_vec1::<f64>().unwrap(), [0.0; 3], "no shared storage");
    }
}
