//! `autogan weights`, and `autogan score` with weights from a file.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use autogan_metrics::inception::tensor_shapes;
use autogan_weights::{Archive, sha256_file};
use candle_core::{DType, Device, Tensor};

use crate::common::{CommandOutput, autogan, command, files, repository};
use crate::score::{records, score};

/// Inception weights made for this test: small values that depend only on their position.
fn synthetic() -> Archive {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    let mut tensor = |(name, shape): (String, Vec<usize>)| {
        let count: usize = shape.iter().product();
        let fan_in: usize = shape[1..].iter().product();
        let scale = (6.0 / fan_in as f32).sqrt();
        let values: Vec<f32> = match name.ends_with("weight") && shape.len() > 1 {
            true => (0..count).map(|_| (2.0 * next() - 1.0) * scale).collect(),
            false => (0..count).map(|_| 0.75 + 0.5 * next()).collect(),
        };
        (name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap())
    };
    tensor_shapes().into_iter().map(&mut tensor).collect()
}

/// The synthetic weights as a file that all tests share; the system's temporary directory holds one for each build.
fn weights() -> &'static Path {
    static FILE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = FILE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("synthetic.safetensors");
        synthetic().write_safetensors(&path).unwrap();
        (dir, path)
    });
    path
}

fn run(dir: &Path, args: &[&str]) -> CommandOutput {
    autogan(dir, &[&["weights"], args].concat())
}

#[test]
fn verify_says_what_a_file_holds() {
    let dir = tempfile::tempdir().unwrap();
    let path = weights().to_str().unwrap();
    let found = run(dir.path(), &["verify", path]).ok();
    let hash = sha256_file(path).unwrap();
    for expected in [
        "safetensors, 9",
        &hash,
        "no published file",
        "94 of 94 convolution blocks, 472 of 472 tensors",
    ] {
        assert!(found.contains(expected), "{expected}: {found}");
    }
    assert!(!found.contains("not used"), "{found}");

    let mut partial = Archive::read_any(path).unwrap();
    partial.remove("Mixed_7c.branch_pool.bn.running_var");
    partial.insert("fc.bias", Tensor::zeros(1000, DType::F32, &Device::Cpu).unwrap());
    partial.write_safetensors(dir.path().join("part.safetensors")).unwrap();
    let ran = run(dir.path(), &["verify", "part.safetensors"]);
    assert!(ran.stdout.contains("93 of 94 convolution blocks, 470 of 472"), "{}", ran.stdout);
    assert_eq!(ran.code, Some(1));
    for expected in ["2 tensors are wrong", "running_var", "expected [1008], found [1000]"] {
        assert!(ran.stderr.contains(expected), "{expected}: {}", ran.stderr);
    }

    let golden = repository("tests/golden/weights/checkpoint_legacy.pth");
    let ran = run(dir.path(), &["verify", golden.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains(".pth, legacy pickle container"), "{}", ran.stdout);
    assert!(ran.stderr.contains("472 tensors are wrong"), "{}", ran.stderr);
}

#[test]
fn conversion_keeps_tensors_and_notes_the_source() {
    let dir = tempfile::tempdir().unwrap();
    let golden = repository("tests/golden/weights/checkpoint_legacy.pth");
    let golden = golden.to_str().unwrap();
    let hash = sha256_file(golden).unwrap();
    let steps = [(golden, "a.safetensors"), ("a.safetensors", "b.pth"), ("b.pth", "c.safetensors")];
    for (from, to) in steps {
        let said = run(dir.path(), &["convert", from, to]).ok();
        assert!(said.contains(&format!("tensors in {to}")), "{said}");
    }
    let original = Archive::read_any(golden).unwrap();
    for name in ["a.safetensors", "b.pth", "c.safetensors"] {
        let read = Archive::read_any(dir.path().join(name)).unwrap();
        assert!(read.names().eq(original.names()), "{name}");
        for (tensor, expected) in read.iter().zip(original.iter()) {
            assert_eq!(tensor.1.dims(), expected.1.dims());
            let values = |t: &Tensor| t.to_dtype(DType::F64).unwrap().flatten_all().unwrap();
            let values = |t: &Tensor| values(t).to_vec1::<f64>().unwrap();
            assert_eq!(values(tensor.1), values(expected.1), "{name}: {}", tensor.0);
        }
    }
    let metadata = Archive::read_any(dir.path().join("a.safetensors")).unwrap();
    assert_eq!(metadata.metadata()["source_sha256"], hash);
    assert_eq!(metadata.metadata()["source_name"], "checkpoint_legacy.pth");

    let error = run(dir.path(), &["convert", golden, "b.pth"]).fails(1);
    assert!(error.contains("b.pth exists already") && error.contains("--force"), "{error}");
    run(dir.path(), &["convert", golden, "b.pth", "--force"]).ok();
    let error = run(dir.path(), &["convert", golden, "b.onnx"]).fails(1);
    assert!(error.contains(".safetensors or .pth"), "{error}");
    let error = run(dir.path(), &["convert", golden, "no/b.pth"]).fails(1);
    assert!(
        error.contains("nothing was written") && error.contains("cannot write no/b.pth"),
        "{error}"
    );
    assert_eq!(files(dir.path()).len(), 3, "nothing else is left");
}

#[test]
fn hostile_weights_are_refused_and_never_executed() {
    let dir = tempfile::tempdir().unwrap();
    let magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";
    let system = b"\x80\x02}(X\x0d\x00\x00\x00little_endian\x88u.";
    let legacy = |object: &[u8], storages: &[u8]| {
        [magic.as_slice(), system.as_slice(), object, storages].concat()
    };
    // INST would call os.system("touch ran").
    let call = b"\x80\x02(X\x09\x00\x00\x00touch ranios\nsystem\n.";
    std::fs::write(dir.path().join("opcode.pth"), legacy(call, b"\x80\x02].")).unwrap();
    // {"t": a tensor of 3 elements from element 2 on of a storage of 4}.
    let tensor =
        b"\x80\x02}X\x01\x00\x00\x00tctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage\
        ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQK\x02(K\x03t(K\x01t\x89\
        ccollections\nOrderedDict\n)RtRs.";
    let storages =
        [b"\x80\x02]X\x01\x00\x00\x000a.".as_slice(), &4u64.to_le_bytes(), &[0; 16]].concat();
    std::fs::write(dir.path().join("outside.pth"), legacy(tensor, &storages)).unwrap();
    records(dir.path(), "a.bin", 10, 1);
    for (file, expected) in [
        ("opcode.pth", "nothing in this file is executed"),
        ("outside.pth", "inside its storage \"0\" of 4 elements"),
    ] {
        for error in [
            run(dir.path(), &["verify", file]).fails(1),
            run(dir.path(), &["convert", file, "out.safetensors"]).fails(1),
            score(dir.path(), &["a.bin", "a.bin", "--weights", file]).fails(1),
        ] {
            assert!(error.contains(file) && error.contains(expected), "{error}");
        }
    }
    // Nothing but what is no tensor.
    let beside = b"\x80\x02}X\x01\0\0\0tctorch\ndevice\nX\x03\0\0\0cpu\x85Rs.";
    std::fs::write(dir.path().join("beside.pth"), legacy(beside, b"\x80\x02].")).unwrap();
    let error = run(dir.path(), &["convert", "beside.pth", "out.safetensors"]).fails(1);
    let fault = "holds no tensors that are read, but t (a call of torch.device (not made))";
    assert!(error.contains(fault), "{error}");
    assert!(!dir.path().join("ran").exists() && !dir.path().join("out.safetensors").exists());
}

#[test]
fn unknown_weights_work_with_a_warning_and_their_hash_is_in_the_output() {
    let dir = tempfile::tempdir().unwrap();
    records(dir.path(), "a.bin", 4, 1);
    let path = weights().to_str().unwrap();
    let line = ["--is", "--fid", "a.bin", "a.bin", "--splits", "2", "--weights", path, "--json"];
    let ran = score(dir.path(), &line);
    for expected in ["is not one of the published weight files", "fewer than the 2048 features"] {
        assert!(ran.stderr.contains(expected), "{expected}: {}", ran.stderr);
    }
    let json: serde_json::Value = serde_json::from_str(&ran.ok()).unwrap();
    assert_eq!(json["weights_sha256"], sha256_file(path).unwrap());
    assert_eq!((&json["preset"], &json["input1_count"]), (&"torch-fidelity".into(), &4.into()));
    assert_eq!(json["extractor"], "inception-v3-torch-fidelity");
    assert!(json["frechet_inception_distance"].as_f64().unwrap().abs() < 1e-6, "{json}");
    // Statistics of another preset are not mixed with these.
    let stats = ["stats", "a.bin", "-o", "clean.npz", "--preset", "clean", "--weights", path];
    score(dir.path(), &stats).ok();
    let mixed = score(dir.path(), &["a.bin", "clean.npz", "--weights", path, "--silent"]).fails(1);
    assert!(mixed.contains("inception-v3-clean") && mixed.contains("across protocols"), "{mixed}");
}

#[test]
fn weights_that_are_not_here_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let hub = |args: &[&str]| -> CommandOutput {
        let mut command = command(dir.path());
        command.env("HF_HUB_CACHE", dir.path().join("hub")).arg("weights").args(args);
        command.output().unwrap().into()
    };
    for line in [&["fetch"][..], &["fetch", "--offline"], &["verify"], &["selftest"]] {
        let error = hub(line).fails(1);
        assert!(error.contains("6726825d.pth") && error.contains("offline mode is on"), "{error}");
    }
    assert!(files(dir.path()).is_empty(), "something was left");
    // Nobody answers at this address.
    let cases = [
        (&["weights", "fetch"][..], "6726825d.pth"),
        (&["search", "--preset", "cifar10-cpu"], "train-NNNNN-of-NNNNN.parquet"),
    ];
    for (line, file) in cases {
        let mut command = command(dir.path());
        let environment = [("HF_HUB_OFFLINE", "0"), ("HF_ENDPOINT", "http://127.0.0.1:9")];
        command.env("HF_HUB_CACHE", dir.path().join("hub")).env("NO_PROXY", "127.0.0.1");
        let ran: CommandOutput = command.envs(environment).args(line).output().unwrap().into();
        let error = ran.fails(1);
        for word in [file, "HF_ENDPOINT", "put it at", "snapshots"] {
            assert!(error.contains(word), "expected {word:?} in {error}");
        }
    }
}

#[test]
fn the_selftest_wants_the_published_weights() {
    let dir = tempfile::tempdir().unwrap();
    let path = weights().to_str().unwrap();
    let error = run(dir.path(), &["selftest", "--weights", path, "--offline"]).fails(1);
    assert!(error.contains("only those give the published scores"), "{error}");
}
