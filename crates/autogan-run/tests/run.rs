//! The run directory and its writer: creating, finding, locking, resuming, damage.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use autogan_run::arch_file::{ArchFile, Protocol};
use autogan_run::samples::GridLayout;
use autogan_run::tensorboard;
use autogan_run::{
    Checkpoint, Dtype, Error, Picture, RunDir, RunWriter, Scalar, Session, StoreReader, TensorData,
    Trial, TrialFilter,
};
use common::{event, for_each_damage, host, scalar, trial};

const CONFIG: &str = "seed = 0\npreset = \"quick\"\n";

fn begin(path: &Path) -> RunWriter {
    let (dir, lock) = RunDir::create_at(path, CONFIG, &host()).unwrap();
    RunWriter::start(dir, lock).unwrap()
}

fn checkpoint(tick: u64) -> Checkpoint {
    let mut checkpoint = Checkpoint::new(tick);
    checkpoint.metadata.insert("state".into(), format!("{{\"tick\":{tick}}}"));
    checkpoint.tensors.push(TensorData {
        name: "w".into(),
        dtype: Dtype::F32,
        shape: vec![2, 2],
        bytes: (0..16).map(|i| i * tick as u8).collect(),
    });
    checkpoint
}

fn step(writer: &mut RunWriter, tick: u64) {
    writer.trial(&trial(tick, 0, tick as f64)).unwrap();
    writer.scalar(&scalar(tick, "loss/g", 0.5)).unwrap();
    if tick.is_multiple_of(5) {
        let layout = GridLayout::square(1, 2);
        let picture = Picture::grid(&[tick as u8; 12], [1, 3, 2, 2], layout).unwrap();
        writer.picture(&picture, tick, (0, tick as u32, "best"), 1.0).unwrap();
        writer.event(&event(tick, "reset")).unwrap();
    }
}

/// A run of ten ticks, with checkpoints at 4 and 8.
fn ten_ticks(path: &Path) -> RunWriter {
    let mut writer = begin(path);
    for tick in 1..=10 {
        step(&mut writer, tick);
        if tick % 4 == 0 {
            writer.save(checkpoint(tick)).unwrap();
        }
    }
    writer
}

#[test]
fn numbered_runs_are_told_apart_and_found() {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path().join("runs");
    assert!(RunDir::list(&runs).unwrap().is_empty());
    assert!(matches!(RunDir::newest(&runs), Err(Error::NoRun { .. })));
    let names: Vec<String> = std::thread::scope(|scope| {
        let make = |seed| {
            let runs = &runs;
            scope.spawn(move || {
                let (run, lock) =
                    RunDir::create_numbered(runs, "quick", seed, CONFIG, &host()).unwrap();
                drop(lock);
                run.name()
            })
        };
        let threads: Vec<_> = (0..8).map(make).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut numbers: Vec<&str> = names.iter().map(|name| &name[..5]).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, ["00000", "00001", "00002", "00003", "00004", "00005", "00006", "00007"]);
    let mut host = host();
    host.created_ms += 60_000;
    RunDir::create_at(&runs.join("mine"), CONFIG, &host).unwrap();
    assert_eq!(RunDir::newest(&runs).unwrap().name(), "mine", "newest by time");
    assert_eq!(RunDir::list(&runs).unwrap().len(), 9);
    assert!(RunDir::find(&runs, "3").unwrap().name().starts_with("00003-quick-s"));
    assert_eq!(RunDir::find(&runs, "mine").unwrap().name(), "mine");
    let path = runs.join(&names[0]);
    assert_eq!(RunDir::find(&runs, path.to_str().unwrap()).unwrap().path(), path);
    let error = RunDir::find(&runs, "77").unwrap_err().to_string();
    assert!(error.contains("\"77\""), "{error}");
}

#[test]
fn a_place_that_is_taken_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let create = |name: &str| RunDir::create_at(&at(name), CONFIG, &host());
    drop(create("deep/new").unwrap());
    assert!(matches!(create("deep/new"), Err(Error::HoldsRun { .. })));
    fs::create_dir(at("other")).unwrap();
    fs::write(at("other/thesis.tex"), "x").unwrap();
    let error = create("other").unwrap_err();
    assert!(error.to_string().contains("thesis.tex"), "{error}");
    fs::write(at("file"), "x").unwrap();
    assert!(matches!(create("file"), Err(Error::NotARun { .. })));
    // Files of a process that was killed before it created its run do no harm.
    fs::create_dir(at("killed")).unwrap();
    fs::write(at("killed/run.lock"), "process 1 on there\n").unwrap();
    fs::write(at("killed/.config.toml.1-0.tmp"), "se").unwrap();
    let (run, _lock) = create("killed").unwrap();
    assert!(!at("killed/.config.toml.1-0.tmp").exists());
    assert_eq!(run.config().unwrap(), CONFIG);
    assert!(run.host().unwrap().threads > 0);
    assert!(RunDir::open(&at("other")).is_err());
    assert!(RunDir::open(&at("absent")).is_err());
}

#[test]
fn layout_is_as_documented() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    let writer = ten_ticks(&path);
    assert!(matches!(writer.dir().arch(), Ok(None)));
    writer.finish().unwrap();
    let mut names: Vec<_> = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "checkpoints",
            "config.toml",
            "events.out.tfevents.autogan",
            "host.json",
            "run.lock",
            "run.sqlite",
            "samples"
        ]
    );
    assert!(path.join("checkpoints/00000004.safetensors").is_file());
    assert!(path.join("checkpoints/00000008.safetensors").is_file());
    assert!(path.join("samples/s0-i0005-best.png").is_file());
    assert_eq!(fs::read(path.join("run.lock")).unwrap(), b"");
}

/// Everything in a run that must not depend on interruptions.
fn content(path: &Path) -> (Vec<Trial>, Vec<Scalar>, Vec<u64>, Vec<u8>) {
    let run = RunDir::open(path).unwrap();
    let reader = StoreReader::open(&run.store_path()).unwrap();
    (
        reader.trials(TrialFilter::ALL).unwrap().into_iter().map(|t| t.row).collect(),
        reader.rows_after(0).unwrap().into_iter().map(|s| s.row).collect(),
        tensorboard::ticks(&run.events_path()).unwrap(),
        fs::read(run.checkpoints().path(12)).unwrap(),
    )
}

#[test]
fn resuming_removes_what_came_after_the_checkpoint() {
    let home = tempfile::tempdir().unwrap();
    let (whole, broken) = (home.path().join("whole"), home.path().join("broken"));
    let go_on = |mut writer: RunWriter, from: u64| {
        for tick in from..=12 {
            step(&mut writer, tick);
        }
        writer.save(checkpoint(12)).unwrap();
        writer.finish().unwrap();
    };
    go_on(ten_ticks(&whole), 11);
    drop(ten_ticks(&broken));
    let resumed = RunWriter::resume(RunDir::open(&broken).unwrap(), &host()).unwrap();
    assert!(resumed.warnings.is_empty(), "{:?}", resumed.warnings);
    // The rows up to the checkpoint are of second 1.5 at the latest.
    assert!((1.5..60.0).contains(&resumed.writer.seconds()));
    let found = resumed.checkpoint.unwrap();
    assert_eq!(found, checkpoint(8));
    go_on(resumed.writer, 9);
    assert_eq!(content(&whole), content(&broken));
    let reader = StoreReader::open(&broken.join("run.sqlite")).unwrap();
    let sessions: Vec<Session> = reader.rows_after(0).unwrap().into_iter().map(|s| s.row).collect();
    let kinds: Vec<_> = sessions.iter().map(|s| (s.kind.as_str(), s.tick)).collect();
    assert_eq!(kinds, [("config", 0), ("resume", 8)]);
}

#[test]
fn resuming_before_the_first_checkpoint_starts_over() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    let mut writer = begin(&path);
    step(&mut writer, 1);
    drop(writer);
    fs::remove_file(path.join("host.json")).unwrap();
    fs::remove_dir(path.join("checkpoints")).unwrap();
    let mut resumed = RunWriter::resume(RunDir::open(&path).unwrap(), &host()).unwrap();
    assert!(resumed.checkpoint.is_none());
    assert_eq!(resumed.writer.read().unwrap().rows_after::<Trial>(0).unwrap().len(), 0);
    step(&mut resumed.writer, 1);
    resumed.writer.save(checkpoint(1)).unwrap();
    assert!(resumed.writer.dir().host().is_ok());
}

#[test]
fn a_second_writer_is_told_who_is_there() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    let writer = begin(&path);
    let error = RunWriter::resume(RunDir::open(&path).unwrap(), &host()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    assert!(matches!(RunDir::create_at(&path, CONFIG, &host()), Err(Error::HoldsRun { .. })));
    drop(writer);
    RunWriter::resume(RunDir::open(&path).unwrap(), &host()).unwrap();
}

#[test]
fn an_edited_configuration_is_noticed_and_an_agreed_one_taken() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    drop(ten_ticks(&path));
    let config = path.join("config.toml");
    let resume = || RunWriter::resume(RunDir::open(&path).unwrap(), &host());
    fs::write(&config, CONFIG.replace("seed = 0", "seed = 1")).unwrap();
    let error = resume().unwrap_err();
    assert!(matches!(error, Error::ConfigChanged { line: 1, .. }), "{error}");
    fs::write(&config, "seed = 0\n").unwrap();
    let text = resume().unwrap_err().to_string();
    assert!(text.contains("line 2") && text.contains("the end"), "{text}");
    fs::write(&config, CONFIG).unwrap();
    let new = format!("{CONFIG}epochs = 3\n");
    resume().unwrap().writer.replace_config(&new, 8).unwrap();
    assert_eq!(fs::read_to_string(&config).unwrap(), new);
    drop(resume().unwrap());
    // As if killed between the two steps of the replacement.
    fs::write(&config, CONFIG).unwrap();
    drop(resume().unwrap());
    assert_eq!(fs::read_to_string(&config).unwrap(), new);
}

#[test]
fn rows_and_checkpoints_go_forward_only() {
    let home = tempfile::tempdir().unwrap();
    let mut writer = begin(&home.path().join("run"));
    step(&mut writer, 3);
    assert!(writer.trial(&trial(2, 0, 1.0)).is_err());
    let error = writer.save(checkpoint(2)).unwrap_err();
    assert!(error.to_string().contains("at least 3"), "{error}");
    let mut reserved = checkpoint(3);
    reserved.metadata.insert("store".into(), "x".into());
    assert!(writer.save(reserved).is_err());
    writer.save(checkpoint(3)).unwrap();
}

#[test]
fn the_event_file_is_made_anew_from_the_store() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    drop(ten_ticks(&path));
    let events = path.join("events.out.tfevents.autogan");
    let expected = [1, 2, 3, 4, 5, 5, 6, 7, 8];
    for damage in ["absent", "cut", "flipped"] {
        let mut bytes = fs::read(&events).unwrap();
        match damage {
            "cut" => bytes.truncate(100),
            "flipped" => bytes[120] ^= 1,
            _ => {}
        }
        fs::write(&events, bytes).unwrap();
        if damage == "absent" {
            fs::remove_file(&events).unwrap();
        }
        let resumed = RunWriter::resume(RunDir::open(&path).unwrap(), &host()).unwrap();
        assert_eq!(resumed.warnings.len(), usize::from(damage != "absent"), "{damage}");
        assert_eq!(tensorboard::ticks(&events).unwrap(), expected, "{damage}");
    }
}

/// Copies a run, as if to another machine.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn any_damaged_file_is_an_error_or_a_fallback() {
    let home = tempfile::tempdir().unwrap();
    let original = home.path().join("run");
    let mut writer = ten_ticks(&original);
    for tick in 11..=12 {
        step(&mut writer, tick);
    }
    writer.save(checkpoint(12)).unwrap();
    writer.finish().unwrap();
    let (good, files) = (
        content(&original),
        [
            "config.toml",
            "host.json",
            "run.sqlite",
            "run.lock",
            "events.out.tfevents.autogan",
            "checkpoints/00000008.safetensors",
            "checkpoints/00000012.safetensors",
            "samples/s0-i0005-best.png",
        ],
    );
    fs::write(original.join("run.lock"), "process 1 on there\n").unwrap();
    for (number, file) in files.into_iter().enumerate() {
        let mut serial = 0;
        for_each_damage(&original.join(file), 4, |what| {
            serial += 1;
            let path = home.path().join(format!("copy-{number}-{serial}"));
            copy(&original, &path);
            let Ok(resumed) = RunWriter::resume(RunDir::open(&path).unwrap(), &host()) else {
                assert!(["config.toml", "run.sqlite"].contains(&file), "{file}: {what}");
                return;
            };
            let mut writer = resumed.writer;
            let from = resumed.checkpoint.map_or(0, |found| found.tick);
            assert_eq!(from, if file.ends_with("12.safetensors") { 8 } else { 12 });
            assert_eq!(
                resumed.warnings.is_empty(),
                from == 12
                    && !file.starts_with("host")
                    && !resumed.warnings.iter().any(|line| line.contains("tfevents")),
                "{file}: {what}"
            );
            for tick in from + 1..=12 {
                step(&mut writer, tick);
            }
            writer.save(checkpoint(12)).unwrap();
            writer.finish().unwrap();
            assert_eq!(content(&path), good, "{file}: {what}");
            fs::remove_dir_all(&path).unwrap();
        });
    }
}

#[test]
fn arch_json_damage_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let writer = begin(&home.path().join("run"));
    let file = ArchFile {
        dataset: "shapes".into(),
        scorer: "compact-shapes".into(),
        preset: "quick".into(),
        seed: 0,
        stage: 0,
        protocol: Protocol { reward: "is".into(), score: "is".into() },
        score: None,
        top: Vec::new(),
    };
    file.write(&writer.dir().arch_path()).unwrap();
    let run = writer.dir();
    assert_eq!(run.arch().unwrap(), Some(file));
    for_each_damage(&run.arch_path(), 100, |what| {
        let error = run.arch().unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{what}: {error}");
    });
}

#[test]
fn a_checkpoint_that_a_killed_writer_did_not_remove_goes_when_the_run_resumes() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    let mut writer = ten_ticks(&path);
    let series = writer.dir().checkpoints();
    let oldest = fs::read(series.path(4)).unwrap();
    writer.save(checkpoint(12)).unwrap();
    drop(writer);
    fs::write(series.path(4), oldest).unwrap();
    let resumed = RunWriter::resume(RunDir::open(&path).unwrap(), &host()).unwrap();
    assert_eq!(resumed.checkpoint.unwrap().tick, 12);
    assert_eq!(series.ticks().unwrap(), [8, 12]);
}
