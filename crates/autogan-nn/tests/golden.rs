//! Networks, losses and optimiser against PyTorch: two iterations of training from stored weights.
//!
//! The project's own files (`tests/golden/gan`, made by `scripts/golden_gan.py`) are always run;
//! those of `AUTOGAN_GOLDEN_DIR` too where it is set. `AUTOGAN_TEST_DEVICE` names a GPU to compute on.

#![allow(clippy::unwrap_used, reason = "an unwrap is how a test fails")]

mod support;

use std::path::Path;

use autogan_nn::Rules;
use autogan_weights::Archive;
use candle_core::{Device, Tensor};
use support::{assert_all_agree, differences, files, own_files, read, replay, values};

#[test]
fn own_golden_files_agree() {
    assert_all_agree(&own_files());
}

#[test]
fn golden_files_of_the_environment_agree() {
    if let Some(directory) = std::env::var_os("AUTOGAN_GOLDEN_DIR") {
        assert_all_agree(&files(Path::new(&directory), "gan"));
    }
}

/// A copy of `golden` in which the largest element of one tensor is 1 % larger.
fn disturbed(golden: &Archive, name: &str) -> Archive {
    let tensor = golden.require(name).unwrap();
    let mut elements = values(tensor);
    let largest =
        (0..elements.len()).max_by(|&a, &b| elements[a].abs().total_cmp(&elements[b].abs()));
    elements[largest.unwrap()] *= 1.01;
    let changed = Tensor::from_vec(elements, tensor.shape(), &Device::Cpu).unwrap();
    let mut copy = golden.clone();
    copy.insert(name, changed.to_dtype(tensor.dtype()).unwrap());
    copy
}

#[test]
fn one_outcome_changed_by_one_percent_is_noticed() {
    for path in own_files() {
        let golden = read(&path);
        let ours = replay(&golden, Rules::RELEASED);
        let gradients = golden.names().filter(|name| name.starts_with("step0.grad."));
        let others = [
            "eval.images",
            "eval.scores",
            "step0.fake",
            "step0.real_scores",
            "d_loss",
            "g_loss",
            "final.g.to_rgb.0.running_var",
        ];
        // A gradient whose true value is zero is noise and has a bound of its own.
        let gradients = gradients
            .filter(|name| values(golden.require(name).unwrap()).iter().any(|x| x.abs() > 1e-4));
        for name in gradients.chain(others) {
            let wrong = differences(&disturbed(&golden, name), &ours);
            assert_eq!(wrong.len(), 1, "{}: {name}: {wrong:?}", path.display());
            assert!(wrong[0].starts_with(name), "{name}: {wrong:?}");
        }
    }
}

#[test]
fn one_input_changed_by_one_percent_is_noticed() {
    let path = own_files().remove(0);
    let golden = read(&path);
    for name in [
        "init.g.l1.weight",
        "init.d.block1.c1.weight_orig",
        "init.d.l5.weight_u",
        "z_d",
        "z_g",
        "z_eval",
    ] {
        let golden = disturbed(&golden, name);
        assert!(!differences(&golden, &replay(&golden, Rules::RELEASED)).is_empty(), "{name}");
    }
}

#[test]
fn the_tap_before_the_add_differs_exactly_where_a_skip_leaves_a_cell_that_has_one() {
    for path in own_files() {
        let golden = read(&path);
        let numbers: Vec<i64> = golden.require("arch").unwrap().to_vec1().unwrap();
        let arch = autogan_space::Arch::from_released(&numbers).unwrap();
        let chained = arch
            .cells()
            .iter()
            .any(|cell| cell.skips.sources().any(|from| arch.cells()[from].skips.count() > 0));
        let wrong = differences(&golden, &replay(&golden, Rules::STANDARD));
        assert_eq!(!wrong.is_empty(), chained, "{}: {wrong:?}", path.display());
    }
}
