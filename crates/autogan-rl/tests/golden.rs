//! The controller against PyTorch: `tests/golden/controller` (made by `scripts/golden_controller.py`, which says
//! what the keys are) and every file in `$AUTOGAN_GOLDEN_DIR/controller` when that variable is set.
//! `AUTOGAN_TEST_DEVICE` names a GPU to compute on.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

mod support;

use std::path::Path;

use autogan_testing::device_or;
use candle_core::{DType, Device, Tensor};
use support::{Golden, check, check_folder, files, own_folder, workspace};

/// The types to compute in. Operators on GPUs take f32 alone; its tolerances are those of f32 on the CPU.
fn dtypes() -> &'static [DType] {
    if device_or("cpu").is_cuda() { &[DType::F32] } else { &[DType::F64, DType::F32] }
}

#[test]
fn own_golden_files() {
    check_folder(&own_folder(), dtypes());
}

#[test]
fn golden_files_of_the_environment() {
    let Some(dir) = std::env::var_os("AUTOGAN_GOLDEN_DIR") else { return };
    // A relative path counts from the workspace, where the command is given, not from this crate.
    check_folder(&workspace().join(dir).join("controller"), dtypes());
}

#[test]
fn an_empty_or_missing_folder_is_an_error() {
    assert!(files(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").as_path()).is_err());
    assert!(files(&own_folder().join("no-such-folder")).is_err());
}

/// The flat position at which a changed value must show: the largest gradient for a parameter, since some rows
/// of the embedding table are never read; the largest magnitude otherwise.
fn most_telling(golden: &Golden, key: &str) -> Option<usize> {
    let by = match key.strip_prefix("param.") {
        Some(name) => format!("grad.{name}"),
        None => key.to_owned(),
    };
    let values: Vec<f64> =
        golden[&by].to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let place = (0..values.len()).max_by(|&a, &b| values[a].abs().total_cmp(&values[b].abs()))?;
    (values[place].abs() > 1e-2).then_some(place)
}

#[test]
fn one_changed_value_is_noticed() {
    let mut changed = 0;
    for path in files(&own_folder()).unwrap() {
        let golden = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        let floats = golden.iter().filter(|(_, v)| v.dtype() == DType::F32);
        for (key, value) in floats {
            let Some(place) = most_telling(&golden, key) else { continue };
            let mut values: Vec<f32> = value.flatten_all().unwrap().to_vec1().unwrap();
            values[place] *= 1.01;
            let mut altered = golden.clone();
            let value = Tensor::from_vec(values, value.shape(), &Device::Cpu).unwrap();
            altered.insert(key.clone(), value);
            let outcome = check(&altered, dtypes());
            assert!(outcome.is_err(), "{}: {key}[{place}] + 1 % unnoticed", path.display());
            changed += 1;
        }
        let mut altered = golden.clone();
        let mut actions = golden["actions"].to_vec2::<i64>().unwrap();
        actions[0][1] = (actions[0][1] + 1) % 2;
        altered.insert("actions".to_owned(), Tensor::new(actions, &Device::Cpu).unwrap());
        let outcome = check(&altered, dtypes());
        assert!(outcome.is_err(), "{}: a changed action is unnoticed", path.display());
    }
    assert!(changed > 300, "only {changed} values were worth changing");
}
