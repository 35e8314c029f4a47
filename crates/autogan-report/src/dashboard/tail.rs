//! The part of a run from an iteration on, for a page that already has the rest.

use crate::data::{RunData, Series};

/// The trials and series from iteration `since` on; everything else, which is short, as a whole.
/// A page asks with the iteration before the last one it has seen: earlier rows keep their places.
pub fn tail(data: &RunData, since: u32) -> RunData {
    let since = f64::from(since);
    let trials = data.trials.iter().filter(|trial| trial.at >= since).cloned().collect();
    let scalars = data.scalars.iter().map(|(tag, s)| (tag.clone(), cut(s, since))).collect();
    RunData { trials, scalars, ..light(data) }
}

/// Everything but trials and series.
fn light(data: &RunData) -> RunData {
    RunData {
        summary: data.summary.clone(),
        plan: data.plan.clone(),
        config: data.config.clone(),
        host: data.host.clone(),
        found: data.found.clone(),
        trained: data.trained.clone(),
        stages: data.stages.clone(),
        tokens: data.tokens.clone(),
        trials: Vec::new(),
        scalars: std::collections::BTreeMap::new(),
        policy: data.policy.clone(),
        images: data.images.clone(),
        events: data.events.clone(),
        sessions: data.sessions.clone(),
        problems: data.problems.clone(),
    }
}

fn cut(series: &Series, since: f64) -> Series {
    let from = series.at.partition_point(|&at| at < since);
    Series {
        tick: series.tick[from..].to_vec(),
        at: series.at[from..].to_vec(),
        value: series.value[from..].to_vec(),
        seconds: series.seconds[from..].to_vec(),
    }
}
