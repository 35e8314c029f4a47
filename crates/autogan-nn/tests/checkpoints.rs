//! Checkpoints: written tensors come back unchanged under both kinds of names, and errors name the tensors that do not
//! fit.

#![allow(clippy::unwrap_used, reason = "helpers of a test may panic")]

use autogan_nn::checkpoint::{self, Names};
use autogan_nn::{
    Discriminator, DiscriminatorConfig, DiscriminatorInit, Generator, GeneratorConfig, NnError,
    NormMode, Rules,
};
use autogan_space::{Arch, GeneratorShape};
use autogan_weights::{Archive, Error};
use candle_core::{DType, Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const CONFIG: GeneratorConfig =
    GeneratorConfig { latent: 7, width: 4, bottom: 3, rules: Rules::RELEASED };
const F32: DType = DType::F32;

fn derived(arch: &Arch, seed: u64) -> Generator {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Generator::derived(&CONFIG, arch, &mut rng, F32, &Device::Cpu).unwrap()
}

fn images(net: &Generator, arch: &Arch) -> Vec<f32> {
    let z = Tensor::arange(0.0_f32, 14.0, &Device::Cpu).unwrap().reshape((2, 7)).unwrap();
    let z = (z / 10.0).unwrap();
    net.forward(&z, arch, NormMode::Running).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn read(archive: &Archive, prefix: &str, arch: Option<&Arch>) -> Result<Generator, NnError> {
    checkpoint::read_generator(archive, prefix, arch, Rules::RELEASED, F32, &Device::Cpu)
}

#[test]
fn both_networks_come_back_from_a_file_with_their_sizes() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let g = Generator::supernet(&CONFIG, &mut rng, F32, &Device::Cpu).unwrap();
    let config = DiscriminatorConfig { width: 5, init: DiscriminatorInit::Xavier, warm_up: 15 };
    let d = Discriminator::new(&config, &mut rng, F32, &Device::Cpu).unwrap();
    let mut archive = Archive::new();
    checkpoint::save(g.params(), &mut archive, "g.", Names::Supernet).unwrap();
    checkpoint::save(d.params(), &mut archive, "d.", Names::Supernet).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("00000001.safetensors");
    archive.write_safetensors(&path).unwrap();

    let archive = Archive::read_any(&path).unwrap();
    let shape = GeneratorShape { latent: 7, width: 4, bottom: 3 };
    assert_eq!(checkpoint::generator_shape(&archive, "g.").unwrap(), shape);
    assert!(checkpoint::is_supernet(&archive, "g."));
    let again = read(&archive, "g.", None).unwrap();
    assert_eq!(images(&again, &Arch::E2GAN), images(&g, &Arch::E2GAN));
    let again = checkpoint::read_discriminator(&archive, "d.", F32, &Device::Cpu).unwrap();
    assert_eq!(again.config().width, 5);
    for ((name, a), (_, b)) in again.params().all().iter().zip(d.params().all()) {
        let flat = |v: &Tensor| v.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(flat(a), flat(b), "{name}");
    }
}

#[test]
fn derived_networks_come_back_under_both_kinds_of_names() {
    for arch in [Arch::AUTOGAN_A, Arch::AUTOGAN_C, Arch::E2GAN] {
        let net = derived(&arch, 2);
        for names in [Names::Supernet, Names::ReleasedDerived] {
            let mut archive = Archive::new();
            checkpoint::save(net.params(), &mut archive, "avg_gen_state_dict.", names).unwrap();
            let archive = archive.pick(&["avg_gen_state_dict"]).unwrap();
            assert!(!checkpoint::is_supernet(&archive, ""));
            let short = archive.get("cell1.c1.weight").is_some();
            assert_eq!(short, names == Names::ReleasedDerived);
            let again = read(&archive, "", Some(&arch)).unwrap();
            assert_eq!(images(&again, &arch), images(&net, &arch), "{arch}");
            assert!(read(&archive, "", None).is_err(), "a derived network needs its architecture");
        }
    }
}

/// The state dict of the released `autogan_cifar10_c`, in its file's order.
#[test]
fn the_released_derived_models_names() {
    let mut archive = Archive::new();
    let net = derived(&Arch::AUTOGAN_C, 3);
    checkpoint::save(net.params(), &mut archive, "", Names::ReleasedDerived).unwrap();
    let mut names: Vec<&str> = archive.names().collect();
    names.sort_unstable();
    let mut expected = vec!["l1.weight", "l1.bias", "to_rgb.2.weight", "to_rgb.2.bias"];
    for cell in [
        "cell1.c1",
        "cell1.c2",
        "cell1.c_sc",
        "cell2.c1",
        "cell2.c2",
        "cell2.c_sc",
        "cell2.skip_in_ops.0",
        "cell3.c1",
        "cell3.c2",
        "cell3.skip_in_ops.0",
        "cell3.skip_in_ops.1",
    ] {
        expected.extend([format!("{cell}.weight"), format!("{cell}.bias")].map(|s| &*s.leak()));
    }
    for norm in ["cell1.n1", "cell1.n2", "to_rgb.0"] {
        let parts = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];
        expected.extend(parts.map(|part| &*format!("{norm}.{part}").leak()));
    }
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[test]
fn missing_unexpected_and_misshapen_tensors_are_all_named_and_nothing_changes() {
    let arch = Arch::AUTOGAN_C;
    let net = derived(&arch, 4);
    let before = images(&net, &arch);
    let mut archive = Archive::new();
    checkpoint::save(derived(&arch, 5).params(), &mut archive, "", Names::Supernet).unwrap();
    // Old checkpoints have no counters.
    let counters: Vec<String> =
        archive.names().filter(|n| n.ends_with("num_batches_tracked")).map(str::to_owned).collect();
    assert_eq!(counters.len(), 3);
    counters.iter().for_each(|name| drop(archive.remove(name)));
    derived(&arch, 6).params().load(&archive, "").unwrap();

    let zeros = |shape: &[usize]| Tensor::zeros(shape, F32, &Device::Cpu).unwrap();
    archive.remove("cell2.c_sc.bias");
    archive.insert("cell9.extra", zeros(&[1]));
    archive.insert("l1.bias", zeros(&[35]));
    let error = NnError::from(net.params().load(&archive, "").unwrap_err());
    let NnError::Weights(Error::Mismatch { missing, unexpected, wrong_shape }) = &error else {
        panic!("{error}")
    };
    assert_eq!(missing, &["cell2.c_sc.bias"]);
    assert_eq!(unexpected, &["cell9.extra"]);
    assert_eq!(wrong_shape, &["l1.bias: expected [36], found [35]"]);
    assert_eq!(images(&net, &arch), before);
}

#[test]
fn another_architecture_and_impossible_sizes_are_refused() {
    let mut archive = Archive::new();
    checkpoint::save(
        derived(&Arch::AUTOGAN_A, 7).params(),
        &mut archive,
        "",
        Names::ReleasedDerived,
    )
    .unwrap();
    let error = read(&archive, "", Some(&Arch::AUTOGAN_C)).unwrap_err().to_string();
    assert!(error.contains("cell1.n1.weight"), "{error}");
    archive.insert("l1.weight", Tensor::zeros((35, 7), F32, &Device::Cpu).unwrap());
    let error = checkpoint::generator_shape(&archive, "").unwrap_err().to_string();
    assert!(error.contains("35"), "{error}");
    assert!(checkpoint::discriminator_width(&archive, "").is_err());
}

#[test]
fn generators_are_found_wherever_the_archive_keeps_them_averaged_ones_first() {
    let mut archive = Archive::new();
    assert!(checkpoint::find_generator(&archive).is_err());
    let net = derived(&Arch::AUTOGAN_A, 8);
    for prefix in ["gen_state_dict.", "avg_gen_state_dict.", "gen_state_dict.module."] {
        checkpoint::save(net.params(), &mut archive, prefix, Names::ReleasedDerived).unwrap();
    }
    for prefix in ["avg_gen_state_dict.", "gen_state_dict.", "gen_state_dict.module."] {
        assert_eq!(checkpoint::find_generator(&archive).unwrap(), prefix);
        for (name, _) in net.params().all() {
            let name = autogan_nn::names::to_released_derived(name);
            archive.remove(&format!("{prefix}{name}")).unwrap();
        }
    }
    assert!(archive.is_empty());
    let mut plain = Archive::new();
    checkpoint::save(net.params(), &mut plain, "", Names::Supernet).unwrap();
    assert_eq!(checkpoint::find_generator(&plain).unwrap(), "");
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, F32, &Device::Cpu).unwrap()
}

/// A training checkpoint of the released code: both generators under `module.`, a discriminator, the state of an
/// optimizer.
fn training_checkpoint(names: Names) -> Archive {
    let mut archive = Archive::new();
    for (prefix, seed) in [("gen_state_dict.module.", 9), ("avg_gen_state_dict.module.", 10)] {
        checkpoint::save(derived(&Arch::AUTOGAN_C, seed).params(), &mut archive, prefix, names)
            .unwrap();
    }
    archive.insert("dis_state_dict.module.l5.weight_orig", zeros(&[1, 4]));
    archive.insert("gen_optimizer.state.0.exp_avg", zeros(&[36, 7]));
    archive
}

#[test]
fn a_training_checkpoint_gives_the_averaged_generator_and_names_of_the_file() {
    let arch = Arch::AUTOGAN_C;
    let archive = training_checkpoint(Names::ReleasedDerived);
    let prefix = checkpoint::find_generator(&archive).unwrap();
    assert_eq!(prefix, "avg_gen_state_dict.module.");
    let found = read(&archive, &prefix, Some(&arch)).unwrap();
    assert_eq!(images(&found, &arch), images(&derived(&arch, 10), &arch));

    let mut damaged = archive.clone();
    damaged.remove("avg_gen_state_dict.module.cell1.n1.running_var");
    damaged.insert("avg_gen_state_dict.module.cell3.c2.weight", zeros(&[4, 4, 1, 1]));
    damaged.insert("avg_gen_state_dict.module.cell3.c3.weight", zeros(&[1]));
    let NnError::Weights(Error::Mismatch { missing, unexpected, wrong_shape }) =
        read(&damaged, &prefix, Some(&arch)).unwrap_err()
    else {
        panic!("another error");
    };
    assert_eq!(missing, ["avg_gen_state_dict.module.cell1.n1.running_var"]);
    assert_eq!(unexpected, ["avg_gen_state_dict.module.cell3.c3.weight"]);
    let expected =
        "avg_gen_state_dict.module.cell3.c2.weight: expected [4, 4, 3, 3], found [4, 4, 1, 1]";
    assert_eq!(wrong_shape, [expected]);

    // One tensor under two names.
    let mut twice = archive.clone();
    twice.insert("avg_gen_state_dict.module.cell1.pre_conv1.conv.bias", zeros(&[4]));
    let error = read(&twice, &prefix, Some(&arch)).unwrap_err().to_string();
    assert!(error.contains("unexpected [\"avg_gen_state_dict.module.cell1.pre_conv1.conv.bias\"]"));
}

#[test]
fn a_damaged_averaged_generator_is_not_passed_over() {
    for (name, shape, message) in [
        ("l1.weight", None, "no tensor named `avg_gen_state_dict.module.l1.weight`"),
        ("to_rgb.2.weight", None, "no tensor named `avg_gen_state_dict.module.to_rgb.2.weight`"),
        (
            "l1.weight",
            Some(vec![35, 7]),
            "expected [35] beside avg_gen_state_dict.module.l1.weight [35, 7], found [36]",
        ),
        (
            "l1.weight",
            Some(vec![16, 7]),
            "expected [16] beside avg_gen_state_dict.module.l1.weight",
        ),
        ("to_rgb.2.weight", Some(vec![3, 1, 3, 3]), "to_rgb.2.weight [3, 1, 3, 3], found [4]"),
    ] {
        for names in [Names::Supernet, Names::ReleasedDerived] {
            let mut archive = training_checkpoint(names);
            let name = format!("avg_gen_state_dict.module.{name}");
            match &shape {
                None => drop(archive.remove(&name)),
                Some(shape) => drop(archive.insert(name, zeros(shape))),
            }
            let error = checkpoint::find_generator(&archive).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
    let mut other = Archive::new();
    other.insert("l1.weight", zeros(&[4, 4]));
    let error = checkpoint::find_generator(&other).unwrap_err().to_string();
    assert!(error.contains("the file holds no generator"), "{error}");
}

#[test]
fn a_supernet_that_lacks_a_half_is_still_read_as_one() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let net = Generator::supernet(&CONFIG, &mut rng, F32, &Device::Cpu).unwrap();
    let mut archive = Archive::new();
    checkpoint::save(net.params(), &mut archive, "", Names::Supernet).unwrap();
    archive.remove("cell1.pre_conv1.conv.weight");
    let NnError::Weights(Error::Mismatch { missing, unexpected, .. }) =
        read(&archive, "", Some(&Arch::AUTOGAN_A)).unwrap_err()
    else {
        panic!("another error");
    };
    assert_eq!(
        (missing.as_slice(), unexpected.len()),
        (&["cell1.pre_conv1.conv.weight".into()][..], 0)
    );
}
