//! Programs that use candle-nn: files as a `VarBuilder`, variables as a `VarMap`.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use autogan_weights::{Archive, Error, Init, Params, ParamsBuilder, var_builder};
use candle_core::{DType, Device, Module, Tensor};
use candle_nn::{Optimizer, SGD, VarBuilder};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn store() -> Params {
    let mut builder = ParamsBuilder::new(DType::F64, &Device::Cpu).unwrap();
    for name in ["a", "c"] {
        builder.param(name, 3, Init::Uniform { fan_in: 4 }).unwrap();
    }
    builder.buffer("b.mean", 2, Init::Ones).unwrap();
    builder.counter("b.count").unwrap();
    let params = builder.finish();
    params.reset(&mut ChaCha8Rng::seed_from_u64(5)).unwrap();
    params
}

#[test]
fn a_step_of_a_foreign_optimiser_changes_the_network() {
    let params = store();
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
    let (from, to) = (store(), store());
    from.get("a").unwrap().set(&Tensor::new(&[1f64, 2.0, 3.0], &Device::Cpu).unwrap()).unwrap();
    let mut tensors: HashMap<String, Tensor> = from
        .state()
        .unwrap()
        .into_iter()
        .filter(|(name, _)| name != "b.count")
        .map(|(name, tensor)| (format!("net.{}", name.replace('a', "x")), tensor))
        .collect();
    let rename = |name: &str| name.replace('a', "x");
    let builder =
        |t: &HashMap<String, Tensor>| VarBuilder::from_tensors(t.clone(), DType::F64, &Device::Cpu);
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

#[test]
fn a_layer_of_candle_takes_its_tensors_from_a_pth_file() {
    let tensor =
        |values: &[f32], shape: &[usize]| Tensor::from_slice(values, shape, &Device::Cpu).unwrap();
    let mut archive = Archive::new();
    archive.insert("net.l.weight", tensor(&[1.0, 2.0, 3.0, 4.0], &[2, 2]));
    archive.insert("net.l.bias", tensor(&[10.0, 20.0], &[2]));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pth");
    archive.write_pth(&path).unwrap();

    let vb = var_builder(&path, DType::F64, &Device::Cpu).unwrap().pp("net");
    let layer = candle_nn::linear(2, 2, vb.pp("l")).unwrap();
    let x = Tensor::new(&[[1f64, 1.0]], &Device::Cpu).unwrap();
    assert_eq!(layer.forward(&x).unwrap().to_vec2::<f64>().unwrap(), [[13.0, 27.0]]);

    assert!(!vb.contains_tensor("l"));
    let error = candle_nn::linear(3, 2, vb.pp("l")).unwrap_err().to_string();
    assert!(error.contains("net.l.weight") && error.contains("[2, 3]"), "{error}");
    let error = vb.root().get((2, 2), "l.weight").unwrap_err().to_string();
    assert!(error.contains("did you mean `net.l.weight`"), "{error}");
}

/// A file of `scripts/golden_weights.py`: two wrapped networks, and objects that are not tensors.
fn beside() -> Archive {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/weights/beside_zip.pth");
    Archive::read_any(path).unwrap()
}

#[test]
fn names_are_found_with_and_without_the_prefixes_of_wrappers() {
    let vb = beside().into_var_builder(DType::F32, &Device::Cpu).pp("gen_state_dict");
    for name in ["1.weight", "module._orig_mod.1.weight"] {
        let weight = vb.get((2, 2), name).unwrap();
        assert_eq!(weight.to_vec2::<f32>().unwrap(), [[1.0, 1.0], [1.0, 1.0]]);
    }
    assert!(!vb.contains_tensor("module.1.weight"));
}

#[test]
fn what_is_asked_for_as_a_tensor_and_is_none_is_named() {
    let error = beside().into_var_builder(DType::F32, &Device::Cpu).get(3, "slice").unwrap_err();
    assert!(error.to_string().contains("slice (not made)"), "{error}");
    let mut builder = ParamsBuilder::new(DType::F32, &Device::Cpu).unwrap();
    builder.param("namespace", 3, Init::Ones).unwrap();
    let error = builder.finish().load(&beside(), "").unwrap_err().to_string();
    let words = "missing [\"namespace (there it is a call of argparse.Namespace (not made))\"]";
    assert!(error.contains(words), "{error}");
}
