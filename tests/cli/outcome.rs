//! The parts of a run that must not depend on interruptions: everything but wall-clock times.

use std::fs;
use std::path::Path;

use autogan_run::{Image, Scalar, StoreReader, tensorboard};

use crate::common::{autogan, files, last_checkpoint};

/// The result of a run, without its clocks.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    /// Bytes of the last checkpoint.
    checkpoint: Vec<u8>,
    /// Text of `arch.json`.
    arch: String,
    /// The trials as CSV, without the last column, `seconds`.
    pub trials: Vec<String>,
    /// Tick, tag and bits of every point.
    scalars: Vec<(u64, String, u64)>,
    /// Tick and path of every picture in the store.
    images: Vec<(u64, String)>,
    /// Name and bytes of every picture.
    pictures: Vec<(String, Vec<u8>)>,
    /// Ticks in the event file.
    events: Vec<u64>,
}

/// The result of a finished run.
pub fn outcome(run: &Path) -> Outcome {
    let store = StoreReader::open(&run.join("run.sqlite")).unwrap();
    let scalars = store.rows_after::<Scalar>(0).unwrap().into_iter().map(|point| point.row);
    let images = store.rows_after::<Image>(0).unwrap().into_iter().map(|image| image.row);
    let pictures = files(&run.join("samples")).into_iter().map(|path| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
    });
    Outcome {
        checkpoint: fs::read(last_checkpoint(run)).unwrap(),
        arch: fs::read_to_string(run.join("arch.json")).unwrap(),
        trials: trials(&autogan(run, &["trials", ".", "--format", "csv"]).ok()),
        scalars: scalars.map(|point| (point.tick, point.tag, point.value.to_bits())).collect(),
        images: images.map(|image| (image.tick, image.path)).collect(),
        pictures: pictures.collect(),
        events: tensorboard::ticks(&run.join("events.out.tfevents.autogan")).unwrap(),
    }
}

/// The lines of a CSV file of trials, without `seconds`.
pub fn trials(csv: &str) -> Vec<String> {
    let header = csv.lines().next().unwrap();
    let seconds = header.split(',').position(|name| name == "seconds").unwrap();
    let without = |line: &str| {
        let mut fields: Vec<&str> = line.split(',').collect();
        fields.remove(seconds);
        fields.join(",")
    };
    csv.lines().map(without).collect()
}

/// Asserts that two runs have the same outcome. The message names the first difference and does not print everything.
pub fn assert_same(whole: &Outcome, other: &Outcome, what: &str) {
    assert_eq!(whole.trials, other.trials, "{what}: trials");
    assert_eq!(whole.arch, other.arch, "{what}: arch.json");
    assert!(whole.checkpoint == other.checkpoint, "{what}: the last checkpoints differ");
    assert_eq!(whole.images, other.images, "{what}: images in the store");
    assert!(whole.pictures == other.pictures, "{what}: pictures differ");
    assert!(whole.scalars == other.scalars, "{what}: curves differ");
    assert_eq!(whole.events, other.events, "{what}: event file");
    assert!(whole == other, "{what}");
}
