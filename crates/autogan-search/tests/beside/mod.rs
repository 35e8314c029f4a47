//! Compares a run on the CPU with a run of the same seed at another place, step by step.
//!
//! Each test target with this module has the modules `tiny` and `place`. `place` names the other device, and runs work
//! there.

mod events;
mod steps;

use autogan_search::{Job, Search, SearchEvent, Training, TrainingEvent};
use candle_core::Device;

use crate::{place, tiny};
use events::{same_search, same_training};
use tiny::Record;

/// The paper's learning rates. They are small, because rounding errors grow faster with larger steps.
pub const SLOW: [&str; 2] = ["train.d_lr=2e-4", "train.g_lr=2e-4"];

/// The events of `course` on the CPU, and its events at the other place.
fn both<E: Send>(course: impl Fn(&Device, &mut Record<E>) + Sync) -> [Vec<E>; 2] {
    let mut here = Record::default();
    course(&Device::Cpu, &mut here);
    let there = place::run(|| {
        let mut there = Record::default();
        course(&place::device(), &mut there);
        there
    });
    [here.0, there.0]
}

#[test]
fn a_search_takes_the_same_course() {
    let less = [
        "train.d_batch=4",
        "train.g_batch=4",
        "search.iterations=3",
        "data.count=20",
        "derive.random=1",
    ];
    let config = tiny::config(1, &[&less[..], &SLOW].concat());
    let [here, there] = both(|device, record| {
        let mut inputs = tiny::inputs(&config);
        inputs.device = device.clone();
        let mut search = Search::new(config.clone(), inputs).unwrap();
        while search.advance(record).unwrap() {}
    });
    let count = |what: fn(&SearchEvent) -> bool| here.iter().filter(|event| what(event)).count();
    assert!(count(|e| matches!(e, SearchEvent::Step(_))) >= 15);
    assert!(count(|e| matches!(e, SearchEvent::Scored(_))) >= 15);
    assert!(count(|e| matches!(e, SearchEvent::Controller { .. })) >= 6);
    same_search(&here, &there);
}

#[test]
fn a_training_from_scratch_takes_the_same_course() {
    let other = [
        "model.gf=8",
        "model.df=8",
        "train.d_batch=4",
        "schedule.g_iterations=6",
        "schedule.score_every=3",
        "schedule.samples_every=0",
    ];
    let config = tiny::training_config(1, &[&other[..], &SLOW].concat());
    let [here, there] = both(|device, record| {
        let mut inputs = tiny::inputs_of(&config.data, config.side());
        inputs.device = device.clone();
        let mut training = Training::new(config.clone(), inputs).unwrap();
        while training.advance(record).unwrap() {}
    });
    let count = |what: fn(&TrainingEvent) -> bool| here.iter().filter(|event| what(event)).count();
    assert!(count(|e| matches!(e, TrainingEvent::Step(_))) >= 12);
    assert!(count(|e| matches!(e, TrainingEvent::Measured { .. })) >= 2);
    same_training(&here, &there);
}
