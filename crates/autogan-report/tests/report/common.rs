//! A small run directory, made by hand row by row.
#![allow(dead_code)] // not every test uses all of it

use std::path::Path;
use std::sync::LazyLock;

use autogan_config::{Configuration, SearchConfig};
use autogan_run::samples::GridLayout;
use autogan_run::{
    ArchFile, Event, FoundArch, Host, Picture, Protocol, RunDir, RunWriter, Scalar, Score, Trial,
    TrialKind,
};
use autogan_space::Arch;

pub static CONFIG: LazyLock<String> = LazyLock::new(|| {
    let settings = [
        "preset=tiny",
        "seed=7",
        "model.latent=4",
        "model.gf=4",
        "search.iterations=4",
        "search.grow_at=[2, 3]",
        "reward.images=16",
    ];
    SearchConfig::preset("quick", &settings.map(str::to_owned)).unwrap().to_toml().unwrap()
});

/// How far the search has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing but the configuration.
    Empty,
    /// Two stages, three iterations of four, a reset.
    Stopped,
    /// The whole search.
    Finished,
}

/// A child of the controller: iteration, vector, reward.
type Child = (u32, &'static str, f64);

/// The children of stage 1: `pre` and `post` in two iterations whose rewards have different levels.
pub const FIRST: [Child; 6] = [
    (0, "1 0 1 0", 1.0),
    (0, "0 0 1 0", 3.0),
    (1, "1 0 1 0", 5.0),
    (1, "0 0 1 0", 7.0),
    (1, "1 1 1 0", 6.0),
    (1, "0 1 1 0", 8.0),
];
const SECOND: [Child; 2] = [(2, "1 0 1 0 1 0 1 1 1", 2.0), (2, "1 0 1 0 0 1 2 0 0", 2.5)];
const THIRD: [Child; 1] = [(3, "1 0 1 0 1 0 1 1 1 1 0 1 0 3", 3.5)];

/// Makes the run at `path`.
pub fn run(path: &Path, config: &str, progress: Progress) -> RunDir {
    let (dir, lock) = RunDir::create_at(path, config, &Host::detect("cpu")).unwrap();
    let mut writer = RunWriter::start(dir.clone(), lock).unwrap();
    let mut tick = 0;
    let stages = [&FIRST[..], &SECOND[..], &THIRD[..]];
    let wanted = match progress {
        Progress::Empty => 0,
        Progress::Stopped => 2,
        Progress::Finished => 3,
    };
    for (stage, children) in stages.into_iter().take(wanted).enumerate() {
        scalar(&mut writer, tick, &format!("score/real/stage{stage}"), 9.0);
        for iteration in children.chunk_by(|a, b| a.0 == b.0) {
            tick = iterate(&mut writer, tick, stage as u32, iteration);
        }
        if stage < 2 {
            let entries = serde_json::json!([{ "arch": [1, 0, 1, 0], "reward": 6.5 }]);
            let json = serde_json::json!({ "stage": stage, "entries": entries });
            event(&mut writer, tick, "beam", &json.to_string());
        }
    }
    if progress == Progress::Finished {
        found().write(&writer.dir().arch_path()).unwrap();
        event(&mut writer, tick, "found", "{\"score\": {}}");
    }
    writer.finish().unwrap();
    dir
}

fn iterate(writer: &mut RunWriter, mut tick: u64, stage: u32, children: &[Child]) -> u64 {
    for _ in 0..3 {
        tick += 1;
        scalar(writer, tick, "loss/d", 1.5);
        scalar(writer, tick, "loss/g", -0.5);
    }
    let iteration = children[0].0;
    if iteration == 1 {
        event(writer, tick, "reset", "{\"step\": 2, \"g_spread\": 0.0001, \"d_spread\": 0.1}");
    }
    for (step, &(_, vector, reward)) in children.iter().enumerate() {
        tick += 1;
        writer.trial(&trial(tick, (stage, iteration, step as u32), vector, reward)).unwrap();
        scalar(writer, tick, "controller/entropy", 0.5);
    }
    tick += 1;
    for (choice, p) in [("post", 0.25), ("pre", 0.75)] {
        scalar(writer, tick, &format!("policy/conv/{choice}"), p);
    }
    let layout = GridLayout::square(4, 4);
    let picture = Picture::grid(&[100; 4 * 3 * 4 * 4], [4, 3, 4, 4], layout).unwrap();
    let seconds = f64::from(iteration + 1) * 10.0;
    writer.picture(&picture, tick, (stage, iteration, "child"), seconds).unwrap();
    tick
}

pub fn trial(tick: u64, place: (u32, u32, u32), vector: &str, score: f64) -> Trial {
    let arch: Arch = vector.parse().unwrap();
    Trial {
        tick,
        kind: TrialKind::Controller,
        stage: place.0,
        iteration: place.1,
        step: place.2,
        named: arch.named(),
        arch,
        score,
        spread: 0.1,
        entropy: Some(0.5),
        advantage: Some(0.0),
        baseline: Some(1.0),
        params: 1000,
        macs: 10_000,
        seconds: 0.1,
        reward: Some(score),
    }
}

fn scalar(writer: &mut RunWriter, tick: u64, tag: &str, value: f64) {
    writer.scalar(&Scalar { tick, step: tick, tag: tag.into(), value, seconds: 1.0 }).unwrap();
}

fn event(writer: &mut RunWriter, tick: u64, kind: &str, json: &str) {
    let (kind, json) = (kind.to_owned(), json.to_owned());
    writer.event(&Event { tick, kind, json, seconds: 1.0 }).unwrap();
}

fn found() -> ArchFile {
    let arch: Arch = THIRD[0].1.parse().unwrap();
    ArchFile {
        dataset: "shapes".into(),
        scorer: "compact-shapes".into(),
        preset: "tiny".into(),
        seed: 7,
        stage: 2,
        protocol: Protocol { reward: "is_16".into(), score: "is_16".into() },
        score: Some(Score { real: 9.0, untrained: 1.0, best: 3.0, median_random: 2.0 }),
        top: vec![FoundArch {
            rank: 1,
            named: arch.named(),
            arch,
            reward: 3.0,
            expected: None,
            spread: 0.1,
            params: 1000,
            macs: 10_000,
        }],
    }
}
