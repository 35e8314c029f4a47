//! Checkpoints of the released code: files that PyTorch wrote (`scripts/check_released.py --golden`) give the images
//! that PyTorch made, and an error names the fault of a file.

use std::path::{Path, PathBuf};

use autogan_weights::Archive;
use candle_core::{DType, Device, Tensor};

use crate::common::{autogan, repository};

/// Each file, its architecture, the prefix of its tensors' names, and the name of one tensor without the prefix.
const FILES: [(&str, &str, &str, &str); 4] = [
    ("a_checkpoint", "a", "avg_gen_state_dict.", "cell3.c1.weight"),
    ("b_plain", "b", "", "cell2.c_sc.bias"),
    ("c_module", "c", "avg_gen_state_dict.module.", "cell1.n2.running_var"),
    ("e2gan_checkpoint", "e2gan", "avg_gen_state_dict.", "cell2.post_conv1.deconv.weight"),
];

fn golden(name: &str, ending: &str) -> PathBuf {
    repository(&format!("tests/golden/released/{name}.{ending}"))
}

/// The images in a file, as a list.
pub fn images(path: &Path) -> Vec<f32> {
    let archive = Archive::read_safetensors(path).unwrap();
    archive.require("images").unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn every_released_format_gives_the_images_of_pytorch() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("images.safetensors");
    for (name, arch, _, _) in FILES {
        let (file, expected) = (golden(name, "pth"), golden(name, "safetensors"));
        let sample = |arch: &str, more: &[&str]| {
            let words = ["sample", file.to_str().unwrap(), "--arch", arch];
            let latents = ["--latents", expected.to_str().unwrap()];
            let tensors = ["--tensor-out", out.to_str().unwrap()];
            autogan(dir.path(), &[&words, &latents[..], &tensors, more].concat()).ok();
            images(&out)
        };
        let expected = images(&expected);
        let worst = furthest(&sample(arch, &[]), &expected);
        assert!(worst <= 1e-5, "{name}: images differ by {worst:e}");
        let full = if arch == "e2gan" { "e2gan".to_owned() } else { format!("autogan-{arch}") };
        assert!(furthest(&sample(&full, &[]), &expected) <= 1e-5);
        // Skips that start before the add are another network where a skip leaves a cell that has one.
        let other = furthest(&sample(arch, &["--skip-tap", "before-add"]), &expected);
        assert_eq!(other > 1e-3, arch != "e2gan", "{name}: {other:e}");
    }
}

#[test]
fn a_released_checkpoint_is_scored() {
    let dir = tempfile::tempdir().unwrap();
    let file = golden("a_checkpoint", "pth");
    let line = ["eval", file.to_str().unwrap(), "--arch", "a", "-n", "20", "--json"];
    let scorer = ["--extractor", "compact-shapes", "--splits", "2"];
    let text = autogan(dir.path(), &[&line[..], &scorer].concat()).ok();
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(found["compact_shapes_is_20_2splits"].as_f64().unwrap() >= 1.0, "{text}");
    assert_eq!(found["arch"], serde_json::json!([1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0, 3]));
}

#[test]
fn a_missing_a_misshapen_and_a_foreign_tensor_are_named_as_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("damaged.safetensors");
    for (name, arch, prefix, tensor) in FILES {
        let whole = Archive::read_any(golden(name, "pth")).unwrap();
        let fails = |archive: &Archive, parts: &[&str]| {
            archive.write_safetensors(&path).unwrap();
            let line = ["sample", "damaged.safetensors", "--arch", arch, "--out", "a.png"];
            let error = autogan(dir.path(), &line).fails(1);
            assert!(parts.iter().all(|part| error.contains(part)), "{parts:?}: {error}");
        };
        for tensor in [tensor, "l1.weight", "l1.bias", "to_rgb.2.weight", "to_rgb.0.running_mean"] {
            let full = format!("{prefix}{tensor}");
            let mut damaged = whole.clone();
            damaged.remove(&full).unwrap();
            fails(&damaged, &[&full]);
            damaged.insert(&*full, Tensor::zeros((5, 7), DType::F32, &Device::Cpu).unwrap());
            fails(&damaged, &[&full, "expected [", "[5, 7]"]);
        }
        let mut more = whole.clone();
        let foreign = format!("{prefix}cell1.attention.weight");
        more.insert(&*foreign, Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap());
        fails(&more, &["unexpected", &foreign]);
    }
    assert!(!dir.path().join("a.png").exists());
}
