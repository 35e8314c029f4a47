//! Files that PyTorch wrote, in both containers, against the values that PyTorch reads from them.
//! `scripts/golden_weights.py` made them.

#![allow(clippy::unwrap_used)]

use autogan_weights::{Archive, Container, sniff};
use candle_core::{DType, Tensor};
use std::path::PathBuf;

fn golden(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../tests/golden/weights", name].iter().collect()
}

fn bytes(tensor: &Tensor) -> Vec<u8> {
    safetensors::View::data(&tensor.contiguous().unwrap()).into_owned()
}

/// Compares names, shapes, types, elements to the bit, and metadata, and returns the first difference.
fn difference(a: &Archive, b: &Archive) -> Option<String> {
    if a.len() != b.len() {
        return Some(format!("{} and {} tensors", a.len(), b.len()));
    }
    for (name, x) in a.iter() {
        let Some(y) = b.get(name) else {
            return Some(format!("{name} is missing"));
        };
        if (x.dtype(), x.dims()) != (y.dtype(), y.dims()) {
            return Some(format!("{name}: {x:?} and {y:?}"));
        }
        if bytes(x) != bytes(y) {
            return Some(format!("{name} differs"));
        }
    }
    (a.metadata() != b.metadata()).then(|| format!("{:?} and {:?}", a.metadata(), b.metadata()))
}

#[test]
fn both_containers_hold_what_pytorch_reads() {
    for name in ["checkpoint", "types", "views"] {
        let expected = Archive::read_any(golden(&format!("{name}.safetensors"))).unwrap();
        assert!(expected.len() > 5, "{name} holds too little to mean anything");
        for kind in ["zip", "legacy"] {
            let read = Archive::read_any(golden(&format!("{name}_{kind}.pth"))).unwrap();
            assert_eq!(difference(&read, &expected), None, "{name}_{kind}.pth");
        }
    }
}

#[test]
fn one_changed_element_is_a_difference() {
    let expected = Archive::read_any(golden("types.safetensors")).unwrap();
    let mut read = Archive::read_any(golden("types_zip.pth")).unwrap();
    let changed = (read.get("float32").unwrap() * 1.01).unwrap();
    read.insert("float32", changed);
    assert_eq!(difference(&read, &expected), Some("float32 differs".to_string()));
}

#[test]
fn every_type_arrives_as_its_own() {
    let read = Archive::read_any(golden("types_legacy.pth")).unwrap();
    let dtype = |name: &str| read.get(name).unwrap().dtype();
    assert_eq!(dtype("float64"), DType::F64);
    assert_eq!(dtype("float32"), DType::F32);
    assert_eq!(dtype("float16"), DType::F16);
    assert_eq!(dtype("bfloat16"), DType::BF16);
    assert_eq!(dtype("int64"), DType::I64);
    assert_eq!(dtype("int32"), DType::I32);
    assert_eq!(dtype("int16"), DType::I16);
    let flags = read.get("bool").unwrap().to_vec1::<u8>().unwrap();
    assert_eq!(flags, [1, 0, 1]);
    let first = read.get("float64").unwrap().to_vec1::<f64>().unwrap();
    assert_eq!(first[..2], [-3.75, -2.5]);
    assert_eq!(read.get("scalar").unwrap().to_scalar::<i64>().unwrap(), 41);
    assert_eq!(read.get("empty").unwrap().dims(), [0, 3]);
}

#[test]
fn a_sub_dictionary_of_a_checkpoint_is_a_state_dict() {
    for kind in ["zip", "legacy"] {
        let all = Archive::read_any(golden(&format!("checkpoint_{kind}.pth"))).unwrap();
        assert_eq!(all.metadata()["epoch"], "7");
        assert_eq!(all.metadata()["seed"], "-1099511627776");
        assert_eq!(all.metadata()["best_fid"], "12.4375");
        assert_eq!(all.metadata()["done"], "false");
        assert!(!all.metadata().contains_key("none"));
        assert_eq!(all.top_level(), ["gen_state_dict", "avg_gen_state_dict", "gen_optimizer"]);
        let averaged = all.pick(&["avg_gen_state_dict", "gen_state_dict"]).unwrap();
        let plain = all.pick(&["gen_state_dict"]).unwrap();
        let names: Vec<&str> = averaged.names().collect();
        assert_eq!(names[..3], ["0.weight", "0.bias", "1.weight"]);
        let twice = (plain.get("0.weight").unwrap() * 2.0).unwrap();
        assert_eq!(bytes(&twice), bytes(averaged.get("0.weight").unwrap()));
    }
}

/// Some names in [`Archive::opaque`], and their descriptions in part.
const OPAQUE: [(&str, &str); 13] = [
    ("array", "numpy._core.multiarray._reconstruct"),
    ("complex", "builtins.complex"),
    ("complex64", "a tensor of torch.ComplexFloatStorage"),
    ("date", "datetime.datetime"),
    ("device", "torch.device"),
    ("dtype", "torch.float32"),
    ("function", "torch.nn.functional.relu"),
    ("int8", "a tensor of torch.CharStorage"),
    ("large_int", "more than 64 bits"),
    ("namespace", "argparse.Namespace"),
    ("path", "PurePosixPath"),
    ("slice", "builtins.slice"),
    ("sparse", "_rebuild_sparse_tensor"),
];

#[test]
fn what_lies_beside_the_weights_is_recorded() {
    for kind in ["zip", "legacy", "p4"] {
        let all = Archive::read_any(golden(&format!("beside_{kind}.pth"))).unwrap();
        let opaque: Vec<&str> = all.opaque().keys().map(String::as_str).collect();
        assert_eq!(opaque, OPAQUE.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "{kind}");
        for (name, what) in &OPAQUE {
            let error = all.require(name).unwrap_err().to_string();
            let what =
                what.replace("builtins", if kind == "p4" { "builtins" } else { "__builtin__" });
            assert!(error.contains(&what) && error.contains(name), "{kind}: {error}");
        }
        for (name, text) in [
            ("epoch", "3"),
            ("set.0", "7"),
            ("big_endian", "2.5"),
            ("keys.(1, \"a\")", "3"),
            ("keys.None", "4"),
            ("keys.true", "5"),
            ("scheduler.milestones.5", "2"),
            ("scheduler.settings.lr", "0.5"),
        ] {
            assert_eq!(all.metadata().get(name).map(String::as_str), Some(text), "{kind} {name}");
        }
        assert_eq!(all.get("last").unwrap().to_vec1::<f32>().unwrap(), [1.5, 2.5]);
        assert!(all.names().all(|name| !name.contains("namespace")));
    }
}

#[test]
fn prefixes_of_wrappers_are_stripped() {
    let all = Archive::read_any(golden("beside_zip.pth")).unwrap();
    let names = |archive: &Archive| archive.names().map(str::to_string).collect::<Vec<_>>();
    assert_eq!(
        names(&all),
        [
            "gen_state_dict.module._orig_mod.0.weight",
            "gen_state_dict.module._orig_mod.1.weight",
            "averaged.n_averaged",
            "averaged.module.module._orig_mod.0.weight",
            "averaged.module.module._orig_mod.1.weight",
            "last"
        ]
    );
    let plain = all.clone().unwrapped();
    assert_eq!(
        names(&plain),
        [
            "gen_state_dict.0.weight",
            "gen_state_dict.1.weight",
            "averaged.n_averaged",
            "averaged.0.weight",
            "averaged.1.weight",
            "last"
        ]
    );
    let of = |archive: &Archive, name: &str| bytes(archive.require(name).unwrap());
    assert_eq!(
        of(&plain, "averaged.1.weight"),
        of(&all, "averaged.module.module._orig_mod.1.weight")
    );
}

#[test]
fn the_container_is_told_without_the_name() {
    let dir = tempfile::tempdir().unwrap();
    for (file, container) in [
        ("views_zip.pth", Container::PthZip),
        ("views_legacy.pth", Container::PthLegacy),
        ("views.safetensors", Container::Safetensors),
    ] {
        let copy = dir.path().join("weights.bin");
        std::fs::copy(golden(file), &copy).unwrap();
        assert_eq!(sniff(&copy).unwrap(), container);
        assert_eq!(Archive::read_any(&copy).unwrap().len(), 8);
    }
}

#[test]
fn converting_to_safetensors_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("converted.safetensors");
    let read = Archive::read_any(golden("checkpoint_legacy.pth")).unwrap();
    read.write_safetensors(&path).unwrap();
    let back = Archive::read_any(&path).unwrap();
    assert_eq!(difference(&back, &read), None);
    assert!(back.names().eq(read.names()));
}

/// Reads all of the larger golden files, if they are there.
#[test]
fn shared_golden_files_are_read() {
    let Ok(root) = std::env::var("AUTOGAN_GOLDEN_DIR") else {
        return;
    };
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(root);
    let mut count = 0;
    for folder in ["gan", "controller", "inception"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "safetensors") {
                assert!(!Archive::read_any(&path).unwrap().is_empty());
                count += 1;
            }
        }
    }
    assert!(count > 0, "AUTOGAN_GOLDEN_DIR holds no safetensors file");
}
