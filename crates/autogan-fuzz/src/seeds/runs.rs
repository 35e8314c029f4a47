//! Run directories, as a search writes them.

use std::path::Path;

use autogan_config::{Configuration, SearchConfig};
use autogan_run::{
    Checkpoint, Dtype, Event, Host, Picture, RunDir, RunWriter, Scalar, TensorData, Trial,
    TrialKind,
};
use rusqlite::Connection;

use crate::scratch;

/// The content of a file beside the directory of runs, which no answer of the dashboard may hold.
pub(crate) const SECRET: &str = "the content of a file beside the runs";

pub(crate) fn checkpoint() -> Vec<Vec<u8>> {
    let path = scratch::path("seed.safetensors");
    let mut checkpoint = Checkpoint::new(7);
    checkpoint.metadata.insert("state".into(), "{\"step\":1}".into());
    let tensor = |name: &str, dtype, shape: &[usize], bytes: usize| TensorData {
        name: name.into(),
        dtype,
        shape: shape.to_vec(),
        bytes: vec![1; bytes],
    };
    checkpoint.tensors = vec![
        tensor("weight", Dtype::F32, &[2, 3], 24),
        tensor("step", Dtype::I64, &[], 8),
        tensor("empty", Dtype::F64, &[0, 4], 0),
    ];
    checkpoint.write(&path).unwrap();
    vec![std::fs::read(&path).unwrap()]
}

/// The store of a small run, in pages of 512 bytes: libFuzzer changes few bytes at a time.
pub(crate) fn store() -> Vec<Vec<u8>> {
    let dir = finished_run("seed-store");
    let small = scratch::path("small.sqlite");
    let _ = std::fs::remove_file(&small);
    let conn = Connection::open(dir.path().join("run.sqlite")).unwrap();
    conn.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM;").unwrap();
    conn.execute("VACUUM INTO ?1", [small.to_str().unwrap()]).unwrap();
    vec![std::fs::read(&small).unwrap()]
}

pub(crate) fn files() -> Vec<Vec<u8>> {
    let dir = finished_run("seed-files");
    let tagged = |which: u8, text: &str| [&[which], text.as_bytes()].concat();
    let host = std::fs::read_to_string(dir.path().join("host.json")).unwrap();
    let arch = r#"{"dataset":"shapes","scorer":"compact-shapes","preset":"tiny","seed":0,"stage":0,
        "protocol":{"reward":"is","score":"is"},
        "score":{"real":9.0,"untrained":1.0,"best":5.0,"median_random":4.0},
        "top":[{"rank":1,"arch":"1 0 1 1","named":"pre-none-nearest-sc","reward":5.0,"spread":0.1,
        "expected":null,"params":24387,"macs":754176}]}"#;
    vec![
        tagged(0, &config()),
        tagged(129, &host),
        tagged(2, arch),
        tagged(3, r#"{"arch":"1 0 1 1","is":2.5}"#),
    ]
}

pub(crate) fn dashboard() -> Vec<Vec<u8>> {
    let host = "\nhost:127.0.0.1:8765";
    [
        "/",
        "/assets/app.js",
        "/api/runs",
        "/api/runs/00000-tiny-s0",
        "/api/runs/00000-tiny-s0/since/1",
        "/api/runs/00000-tiny-s0/arch/1%200%201%201",
        "/runs/00000-tiny-s0/samples/s0-i0000-child.png",
        "/runs/..%2f..%2fsecret.txt",
    ]
    .map(|path| format!("GET {path}{host}").into_bytes())
    .to_vec()
}

fn config() -> String {
    let settings = ["preset=tiny", "seed=0", "search.iterations=4", "search.grow_at=[2, 3]"];
    SearchConfig::preset("quick", &settings.map(str::to_owned)).unwrap().to_toml().unwrap()
}

/// A run of one iteration at `name` in the scratch folder. It is written once in a process; later calls give it back
/// with the files that it had.
pub(crate) fn finished_run(name: &str) -> RunDir {
    let whole = scratch::path(&format!("{name}.whole"));
    let place = scratch::path(name);
    if !whole.exists() {
        write_run(&whole);
    }
    if place.exists() {
        std::fs::remove_dir_all(&place).unwrap();
    }
    std::fs::create_dir_all(&place).unwrap();
    for file in ["config.toml", "host.json", "run.sqlite"] {
        std::fs::copy(whole.join(file), place.join(file)).unwrap();
    }
    let samples = place.join("samples");
    std::fs::create_dir(&samples).unwrap();
    for entry in std::fs::read_dir(whole.join("samples")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), samples.join(entry.file_name())).unwrap();
    }
    RunDir::open(&place).unwrap()
}

fn write_run(path: &Path) {
    let (dir, lock) = RunDir::create_at(path, &config(), &Host::detect("cpu")).unwrap();
    let mut writer = RunWriter::start(dir, lock).unwrap();
    for tick in 1..=3 {
        writer
            .scalar(&Scalar { tick, step: tick, tag: "loss/d".into(), value: 0.5, seconds: 1.0 })
            .unwrap();
        writer.trial(&trial(tick)).unwrap();
    }
    let picture = Picture { width: 1, height: 1, pixels: vec![1, 2, 3] };
    writer.picture(&picture, 3, (0, 0, "child"), 1.0).unwrap();
    let event = Event { tick: 3, kind: "reset".into(), json: "{\"step\":1}".into(), seconds: 0.0 };
    writer.event(&event).unwrap();
    writer.finish().unwrap();
}

fn trial(tick: u64) -> Trial {
    Trial {
        tick,
        kind: TrialKind::Controller,
        stage: 0,
        iteration: 0,
        step: tick as u32,
        arch: "1 0 1 1".parse().unwrap(),
        named: "pre-none-nearest-sc".into(),
        score: 1.5,
        spread: 0.1,
        entropy: Some(0.5),
        advantage: None,
        baseline: None,
        params: 24_387,
        macs: 754_176,
        seconds: 1.0,
        reward: Some(1.5),
    }
}
