//! Variables shared with programs that use `candle-nn`: as a `VarMap`, as a plain list, and filled by a `VarBuilder`.

use std::sync::PoisonError;

use candle_core::{Error as CandleError, Var};
use candle_nn::{VarBuilder, VarMap};

use super::load::{Loading, wrong_shape};
use super::{Params, Role};
use crate::{Error, Result};

impl Params {
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

    /// Sets every tensor from `vb`, which is asked for the name that `rename` makes of ours. The values are copied.
    ///
    /// # Errors
    /// As [`Params::load`], but nothing is unexpected, as a `VarBuilder` does not list what it holds.
    pub fn load_var_builder(
        &self,
        vb: &VarBuilder<'_>,
        rename: impl Fn(&str) -> String,
    ) -> Result<()> {
        let prefix = vb.prefix();
        let full = |name: &str| {
            if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
        };
        let mut loading = Loading::default();
        for (own, entry) in &self.entries {
            let (var, theirs) = (&entry.var, rename(own));
            if !vb.contains_tensor(&theirs) {
                if entry.role != Role::Counter {
                    loading.missing.push(full(&theirs));
                }
                continue;
            }
            let hints = candle_nn::Init::default();
            match vb.get_with_hints_dtype(var.shape(), &theirs, hints, var.dtype()) {
                Ok(value) => loading.values.push((own, var, value)),
                Err(CandleError::UnexpectedShape { expected, got, .. }) => {
                    let text = wrong_shape(&full(&theirs), expected.dims(), got.dims());
                    loading.wrong_shape.push(text);
                }
                Err(source) => return Err(Error::tensor(&full(&theirs), source)),
            }
        }
        loading.finish()
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};
    use candle_nn::{Optimizer, SGD};

    use super::super::tests::store;
    use super::*;

    #[test]
    fn a_step_of_a_foreign_optimiser_changes_the_network() {
        let params = store(["a", "c"]);
        let map = params.var_map();
        assert_eq!(map.all_vars().len(), 4);
        let loss = params.get("a").unwrap().sqr().unwrap().sum_all().unwrap();
        let before = params.get("a").unwrap().to_vec1::<f64>().unwrap();
        SGD::new(params.vars(), 0.25).unwrap().backward_step(&loss).unwrap();
        let after = params.get("a").unwrap().to_vec1::<f64>().unwrap();
        for (after, before) in after.iter().zip(&before) {
            assert!((after - before / 2.0).abs() < 1e-12);
        }
        let shared = map.data().lock().unwrap()["a"].to_vec1::<f64>().unwrap();
        assert_eq!(shared, after);
    }

    #[test]
    fn a_var_builder_fills_the_network_or_changes_nothing() {
        let (from, to) = (store(["a", "c"]), store(["a", "c"]));
        from.get("a").unwrap().set(&Tensor::new(&[1f64, 2.0, 3.0], &Device::Cpu).unwrap()).unwrap();
        let mut tensors: std::collections::HashMap<String, Tensor> = from
            .state()
            .unwrap()
            .into_iter()
            .filter(|(name, _)| name != "b.count")
            .map(|(name, tensor)| (format!("net.{}", name.replace('a', "x")), tensor))
            .collect();
        let rename = |name: &str| name.replace('a', "x");
        let builder = |t: &std::collections::HashMap<String, Tensor>| {
            VarBuilder::from_tensors(t.clone(), DType::F64, &Device::Cpu)
        };
        to.load_var_builder(&builder(&tensors).pp("net"), rename).unwrap();
        assert_eq!(to.get("a").unwrap().to_vec1::<f64>().unwrap(), [1.0, 2.0, 3.0]);

        tensors.insert("net.x".to_owned(), Tensor::zeros(3, DType::F64, &Device::Cpu).unwrap());
        tensors.insert("net.c".to_owned(), Tensor::zeros(4, DType::F64, &Device::Cpu).unwrap());
        tensors.remove("net.b.mexn");
        let error = to.load_var_builder(&builder(&tensors).pp("net"), rename).unwrap_err();
        let Error::Mismatch { missing, unexpected, wrong_shape } = error else { panic!("{error}") };
        assert_eq!(missing, ["net.b.mexn"]);
        assert!(unexpected.is_empty());
        assert_eq!(wrong_shape, ["net.c: expected [3], found [4]"]);
        assert_eq!(to.get("a").unwrap().to_vec1::<f64>().unwrap(), [1.0, 2.0, 3.0]);
    }
}
