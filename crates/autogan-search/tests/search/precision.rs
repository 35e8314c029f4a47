//! Trainings whose convolutions compute in bf16: they stay near to f32, are reproducible to the bit, and are scored in
//! f32.

use autogan_config::Configuration;
use autogan_run::Checkpoint;
use autogan_search::{
    Job, SearchConfig, Silent, Training, TrainingConfig, TrainingEvent, TrainingPhase,
};

use super::scratch::{assert_reproducible, config, finish, inputs, new};
use crate::tiny::Record;

const BF16: &str = "precision=bf16";

/// The losses of all steps.
fn losses(settings: &[&str]) -> Vec<f64> {
    let mut record = Record::default();
    finish(&mut new(&config(7, settings)), &mut record);
    let of = record.0.iter().filter_map(|event| match event {
        TrainingEvent::Step(losses) => Some([Some(losses.d_loss), losses.g_loss]),
        _ => None,
    });
    of.flatten().flatten().collect()
}

#[test]
fn losses_are_finite_and_at_first_near_to_those_in_f32() {
    let (mixed, single) = (losses(&[BF16]), losses(&[]));
    // Two D steps and a G step in each of five G iterations.
    assert_eq!((mixed.len(), single.len()), (15, 15));
    assert!(mixed.iter().all(|loss| loss.is_finite()), "{mixed:?}");
    for (m, s) in mixed.iter().zip(&single).take(6) {
        assert!((m - s).abs() < 0.01 * (1.0 + s.abs()), "{mixed:?} in bf16, {single:?} in f32");
    }
    assert!(mixed[0] != single[0], "the D step is f32");
    // The discriminator does not move, so a difference in the G step comes from the G step itself.
    let still = ["train.d_lr=1e-30", "schedule.g_iterations=1"];
    let (mixed, single) = (losses(&[&still[..], &[BF16]].concat()), losses(&still));
    assert!(mixed[1] != single[1], "the G step is f32");
}

#[test]
fn threads_and_interruptions_change_no_bit() {
    let whole = assert_reproducible(&config(7, &[BF16]));
    let single = finish(&mut new(&config(7, &[])), &mut Silent);
    assert!(whole.tensors != single.tensors, "bf16 makes no difference");
}

/// The scores and samples that come before the next training step.
fn looked_at(checkpoint: &Checkpoint, config: &TrainingConfig) -> Vec<String> {
    let mut training = Training::restore(checkpoint, config.clone(), inputs(config)).unwrap();
    let mut record = Record::default();
    while [TrainingPhase::Score, TrainingPhase::Samples].contains(&training.position().phase) {
        training.advance(&mut record).unwrap();
    }
    let seen = record.0.iter().filter_map(|event| match event {
        TrainingEvent::Measured { score, .. } => Some(format!("{score:?}")),
        TrainingEvent::Samples(grid) => Some(format!("{:?}", grid.pixels)),
        _ => None,
    });
    seen.collect()
}

#[test]
fn scores_and_samples_are_f32() {
    let often = ["schedule.score_every=1", "schedule.samples_every=1"];
    let single = config(7, &often);
    let mixed = config(7, &[&often[..], &[BF16]].concat());
    let mut training = new(&mixed);
    while training.position().phase == TrainingPhase::Train {
        training.advance(&mut Silent).unwrap();
    }
    let saved = training.save().unwrap();
    let (seen, expected) = (looked_at(&saved, &mixed), looked_at(&saved, &single));
    assert_eq!(seen.len(), 2);
    assert!(seen == expected, "what is scored or shown depends on the precision of the steps");
}

#[test]
fn the_key_is_a_training_s_and_changes_when_that_is_allowed() {
    let (single, mixed) = (config(7, &[]), config(7, &[BF16]));
    let error = single.check_continues(&mixed, &[]).unwrap_err().to_string();
    assert!(error.contains("precision (was \"f32\", is \"bf16\")"), "{error}");
    single.check_continues(&mixed, &["precision".to_owned()]).unwrap();

    let text = single.to_toml().unwrap();
    let without: String = text
        .lines()
        .filter(|line| !line.starts_with("precision"))
        .fold(String::new(), |text, line| text + line + "\n");
    let error = TrainingConfig::from_toml(&without, "an old run", &[]).unwrap_err().to_string();
    assert!(error.contains("precision"), "{error}");
    let error = TrainingConfig::preset("quick", &["precision=f16".to_owned()]).unwrap_err();
    assert!(error.to_string().contains("bf16"), "{error}");
    for key in [BF16, "train.precision=bf16"] {
        let error = SearchConfig::preset("quick", &[key.to_owned()]).unwrap_err().to_string();
        assert!(error.contains("precision"), "{error}");
    }
}

#[test]
fn tf32_on_the_cpu_is_refused_before_the_first_step() {
    let config = config(7, &["precision=tf32"]);
    let error = Training::new(config.clone(), inputs(&config)).err().unwrap().to_string();
    assert!(error.contains("precision: expected f32 or bf16 on the CPU"), "{error}");
}
