//! [`Params`] holds the named tensors of a network: variables that an optimiser trains, and buffers that it does not.
//!
//! Every network of this project keeps its tensors here: generator and discriminator, the controller, the compact
//! scorer in training. So all of them draw their initial values, load and save in one way.

mod load;

use std::sync::PoisonError;

use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::VarMap;
use indexmap::IndexMap;
use rand::Rng;

use crate::{Archive, Error, Init, Result};

/// The role of a tensor in its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// An optimiser trains it.
    Trainable,
    /// The network changes it itself.
    Buffer,
    /// A count of training steps, a buffer that older files lack.
    Counter,
}

#[derive(Debug, Clone)]
struct Entry {
    var: Var,
    init: Init,
    role: Role,
}

/// Variables and buffers of one network by name, in an order that does not change.
///
/// The order is that of the names ([`ParamsBuilder::finish_by_name`]) or that in which the tensors were added
/// ([`ParamsBuilder::finish`]). Initial values are drawn in this order. A clone shares the tensors.
#[derive(Debug, Clone)]
pub struct Params {
    entries: IndexMap<String, Entry>,
    dtype: DType,
    device: Device,
}

impl Params {
    /// The variables that an optimiser trains, in order.
    pub fn trainable(&self) -> Vec<(&str, &Var)> {
        self.list(|role| role == Role::Trainable)
    }

    /// The buffers, in order.
    pub fn buffers(&self) -> Vec<(&str, &Var)> {
        self.list(|role| role != Role::Trainable)
    }

    /// Variables and buffers together, in order.
    pub fn all(&self) -> Vec<(&str, &Var)> {
        self.list(|_| true)
    }

    fn list(&self, wanted: impl Fn(Role) -> bool) -> Vec<(&str, &Var)> {
        let entries = self.entries.iter().filter(|(_, entry)| wanted(entry.role));
        entries.map(|(name, entry)| (name.as_str(), &entry.var)).collect()
    }

    /// The variable or buffer of this name.
    pub fn get(&self, name: &str) -> Option<&Var> {
        self.entries.get(name).map(|entry| &entry.var)
    }

    /// The variable or buffer of this name.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] when there is none.
    pub fn require(&self, name: &str) -> Result<&Var> {
        self.get(name).ok_or_else(|| {
            Error::missing_tensor(name, self.entries.len(), self.entries.keys().map(String::as_str))
        })
    }

    /// The trainable variables, as the constructors of candle's optimisers take them. They share the network's memory: a
    /// step of such an optimiser changes the network.
    pub fn vars(&self) -> Vec<Var> {
        self.trainable().into_iter().map(|(_, var)| var.clone()).collect()
    }

    /// All tensors, buffers included, as a `VarMap` that shares the network's memory.
    ///
    /// An optimiser that is made from it leaves buffers alone, as they have no gradient.
    pub fn var_map(&self) -> VarMap {
        let map = VarMap::new();
        let shared = self.all().into_iter().map(|(name, var)| (name.to_owned(), var.clone()));
        map.data().lock().unwrap_or_else(PoisonError::into_inner).extend(shared);
        map
    }

    /// The number of trainable values.
    pub fn count(&self) -> u64 {
        self.trainable().iter().map(|(_, var)| var.elem_count() as u64).sum()
    }

    /// Element type of the variables, F32 or F64. Counters are I64.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Where the tensors are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Draws every tensor anew in place, in order, in f64; then rounds to the tensor's element type.
    ///
    /// # Errors
    /// When the device fails.
    pub fn reset(&self, rng: &mut (impl Rng + ?Sized)) -> Result<()> {
        for (name, Entry { var, init, .. }) in &self.entries {
            let values = init.draw(var.elem_count(), rng);
            Tensor::from_vec(values, var.shape(), &Device::Cpu)
                .and_then(|values| assign(var, &values))
                .map_err(|source| Error::tensor(name, source))?;
        }
        Ok(())
    }

    /// Checks that every value of every tensor is finite.
    ///
    /// # Errors
    /// [`Error::NotFinite`] with the first tensor, in order, that holds another; or when the device fails.
    pub fn check_finite(&self) -> Result<()> {
        for (name, var) in self.all() {
            let values = var
                .as_detached_tensor()
                .to_dtype(DType::F64)
                .and_then(|values| values.flatten_all()?.to_vec1::<f64>())
                .map_err(|source| Error::tensor(name, source))?;
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                let (name, value) = (name.to_owned(), values[index]);
                return Err(Error::NotFinite { name, index, value });
            }
        }
        Ok(())
    }

    /// A copy of every tensor under its name, in order, on the network's device.
    ///
    /// # Errors
    /// When the device fails.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let copy = |(name, var): (&str, &Var)| match var.as_detached_tensor().copy() {
            Ok(copy) => Ok((name.to_owned(), copy)),
            Err(source) => Err(Error::tensor(name, source)),
        };
        self.all().into_iter().map(copy).collect()
    }

    /// Adds a copy of every tensor to `archive`, on the CPU, under `prefix` (`""`, or ending in `.`) and the name that
    /// `rename` makes of its own.
    ///
    /// # Errors
    /// When the device fails.
    pub fn save(
        &self,
        archive: &mut Archive,
        prefix: &str,
        rename: impl Fn(&str) -> String,
    ) -> Result<()> {
        for (name, value) in self.state()? {
            let value = value.to_device(&Device::Cpu).map_err(|e| Error::tensor(&name, e))?;
            archive.insert(format!("{prefix}{}", rename(&name)), value);
        }
        Ok(())
    }
}

/// Makes the tensors of a network, one call for each, and gathers them in a [`Params`].
///
/// All of them are zero until [`Params::reset`] draws them or a `load` sets them, so that initial values do not depend
/// on when a layer is built.
#[derive(Debug)]
pub struct ParamsBuilder(Params);

impl ParamsBuilder {
    /// A builder of tensors of one element type on one device.
    ///
    /// # Errors
    /// [`Error::ParameterType`] when `dtype` is neither F32 nor F64.
    pub fn new(dtype: DType, device: &Device) -> Result<Self> {
        if !matches!(dtype, DType::F32 | DType::F64) {
            return Err(Error::ParameterType { found: format!("{dtype:?}") });
        }
        Ok(Self(Params { entries: IndexMap::new(), dtype, device: device.clone() }))
    }

    /// A variable that an optimiser trains.
    ///
    /// # Errors
    /// [`Error::NameTaken`], or when the device fails.
    pub fn param(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Var> {
        self.add(name, shape, self.0.dtype, init, Role::Trainable)
    }

    /// A buffer: a tensor that no optimiser trains.
    ///
    /// # Errors
    /// As [`ParamsBuilder::param`].
    pub fn buffer(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Var> {
        self.add(name, shape, self.0.dtype, init, Role::Buffer)
    }

    /// A buffer in F64, whatever the element type of the variables is.
    ///
    /// # Errors
    /// As [`ParamsBuilder::param`].
    pub fn buffer_f64(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Var> {
        self.add(name, shape, DType::F64, init, Role::Buffer)
    }

    /// A counter: one number, I64, from zero. It is a buffer that a file may lack.
    ///
    /// # Errors
    /// As [`ParamsBuilder::param`].
    pub fn counter(&mut self, name: &str) -> Result<Var> {
        self.add(name, (), DType::I64, Init::Zeros, Role::Counter)
    }

    fn add(
        &mut self,
        name: &str,
        shape: impl Into<Shape>,
        dtype: DType,
        init: Init,
        role: Role,
    ) -> Result<Var> {
        if self.0.entries.contains_key(name) {
            return Err(Error::NameTaken { name: name.to_owned() });
        }
        let var = Var::zeros(shape, dtype, &self.0.device).map_err(|e| Error::tensor(name, e))?;
        self.0.entries.insert(name.to_owned(), Entry { var: var.clone(), init, role });
        Ok(var)
    }

    /// The finished [`Params`], in the order in which the tensors were added.
    pub fn finish(self) -> Params {
        self.0
    }

    /// The finished [`Params`], in the order of the names.
    pub fn finish_by_name(mut self) -> Params {
        self.0.entries.sort_unstable_keys();
        self.0
    }
}

/// Sets a variable from a tensor of the same shape, on any device and of any element type.
///
/// # Errors
/// When the shapes differ, or the device fails.
pub fn assign(var: &Var, value: &Tensor) -> candle_core::Result<()> {
    var.set(&value.detach().to_dtype(var.dtype())?.to_device(var.device())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    pub(super) fn store(names: [&str; 2]) -> Params {
        let mut builder = ParamsBuilder::new(DType::F64, &Device::Cpu).unwrap();
        for name in names {
            builder.param(name, 3, Init::Uniform { fan_in: 4 }).unwrap();
        }
        builder.buffer("b.mean", 2, Init::Ones).unwrap();
        builder.counter("b.count").unwrap();
        let params = builder.finish_by_name();
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
    fn the_first_tensor_that_is_not_finite_is_named() {
        let params = store(["a", "c"]);
        params.check_finite().unwrap();
        for (name, bad) in [("c", f64::INFINITY), ("b.mean", f64::NAN), ("a", f64::NEG_INFINITY)] {
            let var = params.get(name).unwrap();
            let mut values = var.to_vec1::<f64>().unwrap();
            values[1] = bad;
            var.set(&Tensor::new(values, &Device::Cpu).unwrap()).unwrap();
            let text = params.check_finite().unwrap_err().to_string();
            assert!(text.contains(&format!("`{name}`")) && text.contains("index 1"), "{text}");
        }
    }

    #[test]
    fn copies_are_complete_or_refused() {
        let (a, b) = (store(["a", "c"]), store(["a", "d"]));
        let error = a.copy_from(&b).unwrap_err();
        assert!(matches!(&error, Error::Mismatch { missing, .. } if missing == &["c"]), "{error}");
        let zeros = Tensor::zeros(3, DType::F64, &Device::Cpu).unwrap();
        a.get("a").unwrap().set(&zeros).unwrap();
        let c = store(["a", "c"]);
        c.copy_from(&a).unwrap();
        assert_eq!(c.get("a").unwrap().to_vec1::<f64>().unwrap(), [0.0; 3]);
        a.get("a").unwrap().set(&zeros.ones_like().unwrap()).unwrap();
        assert_eq!(c.get("a").unwrap().to_vec1::<f64>().unwrap(), [0.0; 3], "no shared storage");
    }
}
