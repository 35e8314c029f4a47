//! [`tail()`] cuts a run down to the part from an iteration on, for a page that already has the rest.

use crate::data::{RunData, Series};

/// The trials and series from iteration `since` on; everything else, which is short, as a whole.
/// A page asks with the iteration before the last one it has seen: earlier rows keep their places.
pub fn tail(data: &RunData, since: u32) -> RunData {
    let since = f64::from(since);
    let mut tail = data.clone();
    tail.trials.retain(|trial| trial.at >= since);
    tail.scalars.values_mut().for_each(|series| cut(series, since));
    tail
}

fn cut(series: &mut Series, since: f64) {
    let before = series.at.partition_point(|&at| at < since);
    series.tick.drain(..before);
    series.at.drain(..before);
    series.value.drain(..before);
    series.seconds.drain(..before);
}
