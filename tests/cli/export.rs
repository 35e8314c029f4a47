//! `autogan export`: the file holds the generator and names its architecture.

use std::fs;
use std::path::Path;

use autogan_weights::Archive;

use crate::common::{autogan, files, repository, tiny_run};
use crate::released::images;

fn ran(dir: &Path, line: &str) -> crate::common::CommandOutput {
    autogan(dir, &line.split_whitespace().collect::<Vec<_>>())
}

#[test]
fn a_released_checkpoint_becomes_safetensors_pth_and_onnx() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::copy(repository("tests/golden/released/a_checkpoint.pth"), at("a.pth")).unwrap();
    let line = "export a.pth --arch a --safetensors s.safetensors --pth p.pth --onnx o.onnx";
    let said = ran(dir.path(), line).ok();
    for name in ["s.safetensors", "p.pth", "o.onnx"] {
        assert!(said.contains(&format!("parameters in {name}")), "{said}");
    }
    // The file describes itself.
    let converted = Archive::read_any(at("s.safetensors")).unwrap();
    let metadata = converted.metadata();
    assert_eq!(metadata["autogan.arch"], "1 0 1 1 1 0 0 1 1 1 0 1 0 3");
    assert_eq!(metadata["autogan.skip_tap"], "after_add");
    assert_eq!(metadata["autogan.pre_order"], "norm_first");
    assert_eq!(metadata["source_name"], "a.pth");
    assert_eq!(metadata["source_sha256"], autogan_weights::sha256_file(at("a.pth")).unwrap());
    assert!(converted.names().all(|name| !name.starts_with("avg_gen_state_dict")));
    for (from, out) in [("a.pth --arch a", "1"), ("s.safetensors", "2"), ("p.pth", "3")] {
        ran(dir.path(), &format!("sample {from} -n 5 --tensor-out {out}.safetensors")).ok();
        assert_eq!(images(&at(&format!("{out}.safetensors"))), images(&at("1.safetensors")));
    }
    let model = fs::read(at("o.onnx")).unwrap();
    let model = autogan_onnx::read(&model).unwrap();
    assert_eq!(model.metadata_props[0].value, metadata["autogan.arch"]);

    // With the released derived names, the result equals the original dictionary.
    ran(dir.path(), "export p.pth --pth d.pth --names derived").ok();
    let (derived, original) =
        (Archive::read_any(at("d.pth")).unwrap(), Archive::read_any(at("a.pth")).unwrap());
    let original = original.sub("avg_gen_state_dict").unwrap();
    assert_eq!(derived.len(), original.len());
    for (name, tensor) in derived.iter() {
        let list = |t: &candle_core::Tensor| {
            t.flatten_all().unwrap().to_dtype(candle_core::DType::F64).unwrap().to_vec1::<f64>()
        };
        assert_eq!(list(tensor).unwrap(), list(original.get(name).unwrap()).unwrap(), "{name}");
    }

    let error = ran(dir.path(), "export s.safetensors --arch b --onnx b.onnx").fails(1);
    assert!(error.contains("it holds the network of 1 0 1 1 1 0 0 1 1 1 0 1 0 3"), "{error}");
    let error = ran(dir.path(), "export s.safetensors --onnx o.onnx").fails(1);
    assert!(error.contains("o.onnx exists already: --force"), "{error}");
    ran(dir.path(), "export s.safetensors --onnx o.onnx --force").ok();
    let error = ran(dir.path(), "export s.safetensors").fails(1);
    assert!(error.contains("give --onnx, --safetensors or --pth"), "{error}");
    let error = ran(dir.path(), "export s.safetensors --onnx no/o.onnx").fails(1);
    assert!(error.contains("no"), "{error}");
    assert!(!at("b.onnx").exists() && !at("no").exists());
}

#[test]
fn a_runs_best_is_exported_with_its_own_statistics_and_rule() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    tiny_run(dir.path(), "run", &["--quiet"]);
    ran(dir.path(), "export run --safetensors s.safetensors --onnx o.onnx").ok();
    let metadata = Archive::read_any(at("s.safetensors")).unwrap();
    let metadata = metadata.metadata();
    assert_eq!(metadata["autogan.skip_tap"], "before_add");
    let model = autogan_onnx::read(&fs::read(at("o.onnx")).unwrap()).unwrap();
    assert_eq!(model.metadata_props[0].value, metadata["autogan.arch"]);
    for (from, out) in [("run", "1"), ("s.safetensors", "2")] {
        ran(dir.path(), &format!("sample {from} -n 5 --tensor-out {out}.safetensors")).ok();
    }
    let (run, file) = (images(&at("1.safetensors")), images(&at("2.safetensors")));
    let worst = run.iter().zip(&file).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "{worst:e}");

    // Up to an earlier stage.
    ran(dir.path(), "export run --stage 0 --safetensors first.safetensors").ok();
    let first = Archive::read_any(at("first.safetensors")).unwrap();
    assert!(first.names().all(|name| !name.starts_with("cell2")));
    ran(dir.path(), "sample first.safetensors -n 2 --tensor-out small.safetensors").ok();
    assert_eq!(images(&at("small.safetensors")).len(), 2 * 3 * 4 * 4);
    assert_eq!(files(dir.path()).len(), 7);
}
