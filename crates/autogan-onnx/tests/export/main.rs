//! An exported model, interpreted operator by operator, computes the same as the network, for every choice of a cell.

#![allow(clippy::unwrap_used, reason = "helpers of a test may panic")]

mod interpreter;

use std::collections::BTreeSet;
use std::path::Path;

use autogan_nn::{Generator, GeneratorConfig, NormMode, PreOrder, Rules, SkipTap, checkpoint};
use autogan_onnx::proto::{ModelProto, Size};
use autogan_onnx::{Error, INPUT, OPSET, OUTPUT, export, model, read};
use autogan_space::Arch;
use autogan_weights::Archive;
use candle_core::{DType, Device, Tensor};
use interpreter::Array;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const LATENT: usize = 4;

/// Every pair of rules.
fn rules() -> impl Iterator<Item = Rules> {
    let both = |skip_tap| PreOrder::ALL.map(|pre_order| Rules { skip_tap, pre_order });
    SkipTap::ALL.into_iter().flat_map(both)
}

/// A supernet of width 3 whose running statistics are those of some batches.
fn supernet(rules: Rules) -> Generator {
    let config = GeneratorConfig { latent: LATENT, width: 3, bottom: 2, rules };
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let net = Generator::supernet(&config, &mut rng, DType::F32, &Device::Cpu).unwrap();
    for (i, (name, var)) in net.params().all().into_iter().enumerate() {
        let shift = if name.ends_with("running_mean") { 0.1 } else { 0.3 };
        if name.contains("running_") {
            let values: Vec<f32> = (0..3).map(|c| shift * ((i + c) % 5 + 1) as f32).collect();
            var.set(&Tensor::new(values, &Device::Cpu).unwrap()).unwrap();
        }
    }
    net
}

fn latents(n: usize) -> Tensor {
    let values = (0..n * LATENT).map(|i| ((i * 7 % 11) as f32 - 5.0) / 3.0).collect();
    Tensor::from_vec(values, (n, LATENT), &Device::Cpu).unwrap()
}

fn array(tensor: &Tensor) -> Array {
    let data = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap();
    Array::new(tensor.dims(), data)
}

/// The largest difference between the output of the interpreted model and `images`.
fn difference(model: &ModelProto, z: &Tensor, images: &Tensor) -> f64 {
    let (found, expected) = (interpreter::run(model, array(z)), array(images));
    assert_eq!(found.dims, expected.dims);
    found.data.iter().zip(&expected.data).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn assert_same(net: &Generator, arch: &Arch, n: usize) {
    let z = latents(n);
    let images = net.forward_frozen(&z, arch, NormMode::Running).unwrap();
    let worst = difference(&model(net, arch).unwrap(), &z, &images);
    assert!(worst < 1e-5, "{arch}: {worst:e}");
}

#[test]
fn every_first_cell() {
    for rules in rules() {
        let net = supernet(rules);
        for arch in Arch::enumerate(0) {
            assert_same(&net, &arch, 2);
        }
    }
}

#[test]
fn every_later_cell_after_a_fixed_one() {
    let net = supernet(Rules::STANDARD);
    let first = Arch::E2GAN.prefix(1);
    let second = Arch::E2GAN.prefix(2);
    for (before, index) in [(&first, 1), (&second, 2)] {
        for cell in autogan_space::CellArch::enumerate(index) {
            assert_same(&net, &before.with_cell(cell).unwrap(), 1);
        }
    }
}

#[test]
fn whole_architectures_under_every_rule() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for rules in rules() {
        let net = supernet(rules);
        let random = (0..6).map(|_| Arch::random(2, &mut rng).unwrap());
        let known = Arch::KNOWN.into_iter().map(|(_, arch)| arch);
        for arch in known.chain(random) {
            assert_same(&net, &arch, 2);
            assert_same(&net.derive(&arch).unwrap(), &arch, 3);
        }
    }
}

#[test]
fn the_tap_is_in_the_model() {
    let arch = &Arch::AUTOGAN_B;
    let (before, after) = (supernet(Rules::STANDARD), supernet(Rules::RELEASED));
    let z = latents(2);
    let images = after.forward_frozen(&z, arch, NormMode::Running).unwrap();
    assert!(difference(&model(&before, arch).unwrap(), &z, &images) > 1e-3);
}

/// The images that PyTorch made from the weights of the networks' golden files.
#[test]
fn the_images_of_pytorch() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/gan");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let golden = Archive::read_safetensors(entry.unwrap().path()).unwrap();
        let numbers: Vec<i64> = golden.require("arch").unwrap().to_vec1().unwrap();
        let arch = Arch::from_released(&numbers).unwrap();
        let (rules, cpu) = (Rules::RELEASED, Device::Cpu);
        let net =
            checkpoint::read_generator(&golden, "init.g.", None, rules, DType::F32, &cpu).unwrap();
        let images = golden.require("eval.images").unwrap();
        let z = golden.require("z_eval").unwrap();
        let worst = difference(&model(&net, &arch).unwrap(), z, images);
        assert!(worst < 1e-5, "{arch}: {worst:e}");
        files += 1;
    }
    assert_eq!(files, 3);
}

#[test]
fn a_model_says_what_it_is_and_holds_nothing_else() {
    let arch = Arch::AUTOGAN_C;
    let net = supernet(Rules::RELEASED);
    let model = read(&export(&net, &arch).unwrap()).unwrap();
    assert_eq!((model.ir_version, model.opset_import.len()), (8, 1));
    assert_eq!(model.opset_import[0].version, OPSET);
    let metadata: Vec<(&str, &str)> =
        model.metadata_props.iter().map(|entry| (&*entry.key, &*entry.value)).collect();
    let expected = [
        ("autogan.arch", "1 1 1 1 1 0 0 1 1 1 0 1 0 3"),
        ("autogan.skip_tap", "after_add"),
        ("autogan.pre_order", "norm_first"),
    ];
    assert_eq!(metadata, expected);

    let graph = model.graph.unwrap();
    let sizes = |value: &autogan_onnx::proto::ValueInfoProto| -> Vec<Size> {
        let tensor = value.kind.clone().unwrap().tensor_type.unwrap();
        tensor.shape.unwrap().dim.into_iter().map(|dim| dim.value.unwrap()).collect()
    };
    let (n, number) = (|| Size::Param("N".to_owned()), Size::Value);
    assert_eq!(graph.input[0].name, INPUT);
    assert_eq!(sizes(&graph.input[0]), [n(), number(LATENT as i64)]);
    assert_eq!(graph.output[0].name, OUTPUT);
    assert_eq!(sizes(&graph.output[0]), [n(), number(3), number(16), number(16)]);

    // The tensors of the derived network without its counters, and the constants of the operators; no others.
    let derived = net.derive(&arch).unwrap();
    let own = derived.params().all().into_iter().map(|(name, _)| name);
    let expected: BTreeSet<&str> = own
        .filter(|name| !name.ends_with("num_batches_tracked"))
        .chain(["l1.reshape.shape", "scales_x2", "scales_x4"])
        .collect();
    let found: BTreeSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(found, expected);
    let used: BTreeSet<&str> =
        graph.node.iter().flat_map(|node| node.input.iter().map(String::as_str)).collect();
    assert!(found.is_subset(&used));
}

#[test]
fn a_network_of_another_architecture_is_refused_by_name() {
    let net = supernet(Rules::STANDARD).derive(&Arch::AUTOGAN_A).unwrap();
    let Err(Error::Missing { name, arch }) = export(&net, &Arch::AUTOGAN_C) else {
        panic!("it has no batch norm");
    };
    assert_eq!((&*name, arch), ("cell1.pre_conv1.bn.weight", Arch::AUTOGAN_C.to_string()));
    assert!(matches!(read(b"no model"), Err(Error::Decode(_))));
}
