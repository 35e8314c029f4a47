//! Repeats a golden training in f32, and compares its results with those of PyTorch in f64.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use autogan_nn::ops::{Adam, AdamConfig};
use autogan_nn::{DMode, Discriminator, Generator, NormMode, Params, Rules, checkpoint, loss};
use autogan_space::Arch;
use autogan_testing::device_or;
use autogan_weights::Archive;
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor};

pub type Values = BTreeMap<String, Tensor>;

const LR: f64 = 2e-4;

/// The golden files of `kind` inside `directory`.
///
/// A relative directory is tried from the crate's directory, where cargo runs tests, then from the
/// workspace root.
pub fn files(directory: &Path, kind: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found =
        [directory.join(kind), root.join(directory).join(kind)].into_iter().find(|d| d.is_dir());
    let directory =
        found.unwrap_or_else(|| panic!("no folder `{kind}` in {}", directory.display()));
    let mut files: Vec<PathBuf> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no .safetensors file in {}", directory.display());
    files
}

/// The project's own golden files.
pub fn own_files() -> Vec<PathBuf> {
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden"), "gan")
}

/// Reads a golden file.
pub fn read(path: &Path) -> Archive {
    Archive::read_safetensors(path).unwrap()
}

/// Compares the networks with golden files, and panics with all differences.
pub fn assert_all_agree(paths: &[PathBuf]) {
    let mut report = String::new();
    for path in paths {
        let golden = read(path);
        let wrong = differences(&golden, &replay(&golden, Rules::RELEASED));
        if !wrong.is_empty() {
            report.push_str(&format!("{}:\n  {}\n", path.display(), wrong.join("\n  ")));
        }
    }
    assert!(report.is_empty(), "{report}");
}

/// Computes every result that a golden file holds, from the starting point of that file.
pub fn replay(golden: &Archive, rules: Rules) -> Values {
    let numbers: Vec<i64> = golden.require("arch").unwrap().to_vec1().unwrap();
    let arch = Arch::from_released(&numbers).unwrap();
    let stage = golden.require("stage").unwrap().to_vec1::<i64>().unwrap()[0] as usize;
    assert_eq!(arch.stage(), stage);
    let (f32, device) = (DType::F32, device_or("cpu"));
    let g = checkpoint::read_generator(golden, "init.g.", None, rules, f32, &device).unwrap();
    let d = checkpoint::read_discriminator(golden, "init.d.", f32, &device).unwrap();
    let mut out = Values::new();

    let z_eval = &golden.require("z_eval").unwrap().to_device(&device).unwrap();
    let images = g.forward(z_eval, &arch, NormMode::Running).unwrap();
    out.insert("eval.scores".to_owned(), d.forward(&images, stage, DMode::Eval).unwrap());
    out.insert("eval.images".to_owned(), images);
    train(golden, &g, &d, &arch, &mut out);
    for (letter, params) in [("g", g.params()), ("d", d.params())] {
        for (name, var) in params.all() {
            out.insert(format!("final.{letter}.{name}"), var.as_tensor().clone());
        }
    }
    let images = g.forward_frozen(z_eval, &arch, NormMode::Running).unwrap();
    out.insert("final.images".to_owned(), images);
    out
}

/// Takes the D steps; a G step follows the first D step of each iteration.
fn train(golden: &Archive, g: &Generator, d: &Discriminator, arch: &Arch, out: &mut Values) {
    let device = device_or("cpu");
    let get = |name: &str| golden.require(name).unwrap().to_device(&device).unwrap();
    let (real, z_d, z_g) = (get("real"), get("z_d"), get("z_g"));
    let config = AdamConfig { lr: LR, beta1: 0.0, beta2: 0.9, eps: 1e-8 };
    let (mut adam_g, mut adam_d) = (Adam::new(config), Adam::new(config));
    let (steps, stage) = (z_d.dim(0).unwrap(), arch.stage());
    let per_iteration = steps / z_g.dim(0).unwrap();
    let (mut d_losses, mut g_losses) = (Vec::new(), Vec::new());
    for step in 0..steps {
        let real_scores = d.forward(&real.get(step).unwrap(), stage, DMode::Train).unwrap();
        let fake = g.forward_frozen(&z_d.get(step).unwrap(), arch, NormMode::Train).unwrap();
        let fake_scores = d.forward(&fake, stage, DMode::Train).unwrap();
        let d_loss = loss::d_hinge(&real_scores, &fake_scores).unwrap();
        let grads = d_loss.backward().unwrap();
        if step == 0 {
            keep_gradients("step0.grad.d.", d.params(), &grads, out);
            out.insert("step0.real_scores".to_owned(), real_scores);
            out.insert("step0.fake".to_owned(), fake);
        }
        adam_d.step(d.params().trainable(), &grads).unwrap();
        d_losses.push(d_loss);
        if step % per_iteration != 0 {
            continue;
        }
        let z = z_g.get(step / per_iteration).unwrap();
        let fake = g.forward(&z, arch, NormMode::Train).unwrap();
        let g_loss = loss::g_hinge(&d.forward_frozen(&fake, stage, DMode::Train).unwrap()).unwrap();
        let grads = g_loss.backward().unwrap();
        assert!(d.params().trainable().iter().all(|(_, var)| grads.get(var).is_none()));
        if step == 0 {
            keep_gradients("step0.grad.g.", g.params(), &grads, out);
        }
        adam_g.step(g.params().trainable(), &grads).unwrap();
        g_losses.push(g_loss);
    }
    out.insert("d_loss".to_owned(), Tensor::stack(&d_losses, 0).unwrap());
    out.insert("g_loss".to_owned(), Tensor::stack(&g_losses, 0).unwrap());
}

fn keep_gradients(prefix: &str, params: &Params, grads: &GradStore, out: &mut Values) {
    for (name, var) in params.trainable() {
        if let Some(grad) = grads.get(var) {
            out.insert(format!("{prefix}{name}"), grad.clone());
        }
    }
}

/// All differences between `ours` and `golden` that exceed the tolerances.
pub fn differences(golden: &Archive, ours: &Values) -> Vec<String> {
    let mut wrong = Vec::new();
    let outcome = |name: &str| {
        ["eval.", "step0.", "final."].iter().any(|p| name.starts_with(p))
            || matches!(name, "d_loss" | "g_loss")
    };
    let stored: BTreeMap<&str, &Tensor> = golden.iter().filter(|(name, _)| outcome(name)).collect();
    for name in stored.keys().filter(|name| !ours.contains_key(**name)) {
        wrong.push(format!("{name}: in the file, not computed"));
    }
    for name in ours.keys().filter(|name| !stored.contains_key(name.as_str())) {
        wrong.push(format!("{name}: computed, not in the file"));
    }
    if !wrong.is_empty() {
        return wrong;
    }
    for (&name, tensor) in &stored {
        let (expected, found) = (values(tensor), values(&ours[name]));
        if tensor.dims() != ours[name].dims() {
            wrong.push(format!("{name}: {:?} against {:?}", ours[name].dims(), tensor.dims()));
        } else if let Some(bound) = bound(name, &expected) {
            let worst = expected.iter().zip(&found).map(|(e, f)| (e - f).abs()).fold(0.0, maximum);
            if worst.is_nan() || worst > bound {
                wrong.push(format!("{name}: differs by {worst:e}, allowed {bound:e}"));
            }
        }
    }
    for letter in ["g", "d"] {
        wrong.extend(gradient_differences(&stored, ours, letter));
        let steps = if letter == "g" { "g_loss" } else { "d_loss" };
        let steps = golden.require(steps).unwrap().elem_count();
        wrong.extend(parameter_differences(&stored, ours, letter, steps));
    }
    wrong
}

/// The largest absolute difference that is allowed. Gradients and parameters have rules of their own and give `None`.
fn bound(name: &str, expected: &[f64]) -> Option<f64> {
    let relative = 1e-4 * expected.iter().map(|x| x.abs()).fold(0.0, maximum);
    match name {
        "eval.images" => Some(1e-5),
        "step0.fake" => Some(5e-5),
        "final.images" => Some(1e-2),
        "eval.scores" | "step0.real_scores" | "d_loss" | "g_loss" => Some(relative),
        _ if name.ends_with(".num_batches_tracked") => Some(0.0),
        _ if name.contains(".running_") => Some(2e-3),
        // Unit vectors that depend on the weights.
        _ if is_spectral_vector(name) => Some(2e-3),
        _ => None,
    }
}

/// The differences of gradients above the relative L2 distance 1e-4 of a tensor. Where the true gradient is zero, both
/// must stay below 1e-5 of the network's largest.
fn gradient_differences(
    stored: &BTreeMap<&str, &Tensor>,
    ours: &Values,
    letter: &str,
) -> Vec<String> {
    let prefix = format!("step0.grad.{letter}.");
    let all = || stored.iter().filter(|(name, _)| name.starts_with(&prefix));
    let zero = 1e-5 * all().map(|(_, t)| norm(&values(t))).fold(0.0, maximum);
    let mut wrong = Vec::new();
    for (&name, tensor) in all() {
        let (expected, found) = (values(tensor), values(&ours[name]));
        let size = norm(&expected);
        let difference: Vec<f64> = expected.iter().zip(&found).map(|(e, f)| e - f).collect();
        let off = if size < zero { norm(&found) / zero } else { norm(&difference) / (1e-4 * size) };
        if off.is_nan() || off >= 1.0 {
            wrong.push(format!("{name}: {off} times the allowed difference, norm {size:e}"));
        }
    }
    wrong
}

/// The differences of parameters: 99 % of a network's elements must lie within 1e-5, and the rest within the distance
/// that Adam can move them.
fn parameter_differences(
    stored: &BTreeMap<&str, &Tensor>,
    ours: &Values,
    letter: &str,
    steps: usize,
) -> Vec<String> {
    let prefix = format!("final.{letter}.");
    let reach: f64 = (1..=steps).map(|t| ((1.0 - 0.9_f64.powi(t as i32)) / 0.1).sqrt()).sum();
    let reach = 2.0 * LR * reach;
    let (mut wrong, mut far, mut count) = (Vec::new(), 0_usize, 0_usize);
    for (&name, tensor) in stored.iter().filter(|(name, _)| name.starts_with(&prefix)) {
        if bound(name, &[]).is_some() {
            continue;
        }
        let (expected, found) = (values(tensor), values(&ours[name]));
        // A branch that the architecture does not use stays as it is, to the bit.
        let gradient = format!("step0.grad.{letter}.{}", &name[prefix.len()..]);
        if !stored.contains_key(gradient.as_str()) && expected != found {
            wrong.push(format!("{name}: changed without a gradient"));
        }
        count += expected.len();
        for (e, f) in expected.iter().zip(&found) {
            let difference = (e - f).abs();
            far += usize::from(difference.is_nan() || difference > 1e-5);
            if difference.is_nan() || difference > reach {
                wrong.push(format!("{name}: differs by {difference:e}, Adam's reach is {reach:e}"));
            }
        }
    }
    if far * 100 > count {
        wrong.push(format!("{prefix}*: {far} of {count} elements differ by more than 1e-5"));
    }
    wrong
}

fn is_spectral_vector(name: &str) -> bool {
    name.ends_with(".weight_u") || name.ends_with(".weight_v")
}

/// Like `f64::max`, but keeps NaN, so that no NaN passes a test.
fn maximum(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// The elements as f64.
pub fn values(t: &Tensor) -> Vec<f64> {
    let here = t.flatten_all().unwrap().to_device(&Device::Cpu).unwrap();
    here.to_dtype(DType::F64).unwrap().to_vec1().unwrap()
}
