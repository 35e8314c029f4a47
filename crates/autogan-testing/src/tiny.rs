//! These settings shrink the preset `quick`: a search then takes a second or two, and a training a second.

const BOTH: [&str; 8] = [
    "data.count=40",
    "model.latent=4",
    "model.gf=4",
    "model.df=4",
    "model.bottom=2",
    "train.d_batch=8",
    "train.g_batch=8",
    "train.n_critic=2",
];

const SEARCH: [&str; 15] = [
    "search.iterations=4",
    "search.grow_at=[1, 2]",
    "search.candidates=4",
    "search.top_k=2",
    "controller.hidden=8",
    "controller.steps=2",
    "reward.images=16",
    "reward.splits=2",
    "reward.batch=8",
    "reward.recalibrate_batches=1",
    "reward.recalibrate_batch=8",
    "derive.candidates=4",
    "derive.top_k=2",
    "derive.images=16",
    "derive.random=3",
];

const TRAINING: [&str; 5] = [
    "schedule.g_iterations=4",
    "schedule.score_every=2",
    "schedule.samples_every=2",
    "score.images=16",
    "score.batch=8",
];

/// The settings of a small search, then `more`, which win.
pub fn search_settings<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&BOTH[..], &SEARCH, more].concat()
}

/// The settings of a small training from scratch, then `more`, which win.
pub fn training_settings<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&BOTH[..], &TRAINING, more].concat()
}
