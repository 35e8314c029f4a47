//! A [`Preview`] holds what `search --dry-run` and `train --dry-run` have in common: images, scorer and the speed of
//! this machine. Nothing is fetched and nothing is made.

use std::sync::Arc;
use std::time::Duration;

use autogan_metrics::FeatureExtractor;
use autogan_search::config::{DataConfig, ModelConfig};
use autogan_search::{SearchError, Speed};
use candle_core::Device;

use crate::run_args::RunArgs;
use crate::words::time;

/// The images and the scorer of a run that does not begin, as far as they are here.
pub struct Preview {
    /// Number of training images.
    pub images: usize,
    /// Where their number comes from, when not from the images.
    note: &'static str,
    extractor: Option<Arc<dyn FeatureExtractor>>,
    /// The part of the output that says what is missing; empty where nothing is missing.
    missing: String,
    device: Device,
}

impl Preview {
    /// Looks for the images of `data` at `side` pixels, and for `scorer`; `kind` is what would run. It fails when there
    /// are no such images. A scorer that is missing is told by [`Preview::missing`].
    pub fn new(
        args: &RunArgs,
        kind: &str,
        (data, side): (&DataConfig, usize),
        scorer: &str,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let sources = args.sources(true);
        // Without files the dataset's published size is taken.
        let published = autogan_data::registry::spec(&data.dataset)?.published;
        let (images, note) = match (data.dir.is_empty(), published) {
            (true, Some(n)) if data.count == 0 => (n, " (its published size; no --data given)"),
            (true, Some(n)) => (n.min(data.count), ""),
            _ => (sources.images(data, side)?.len(), ""),
        };
        let (extractor, mut missing) = match sources.scorer(scorer, device) {
            Ok(extractor) => (Some(extractor), String::new()),
            Err(error) => (None, missing(args, scorer, kind, &error)),
        };
        if data.dir.is_empty() && published.is_some() {
            let name = &data.dataset;
            if args.offline {
                missing += &format!("# {name} needs --data DIR, or to be in the hub's cache\n");
            }
        }
        Ok(Self { images, note, extractor, missing, device: device.clone() })
    }

    /// Measures the device. It fails when an operator fails.
    pub fn speed(&self, model: &ModelConfig, batch: usize) -> anyhow::Result<Speed> {
        Ok(Speed::measure(model, batch, self.extractor.as_deref(), &self.device)?)
    }

    /// The line on the images.
    pub fn images_line(&self) -> String {
        format!("# {} images{}\n", self.images, self.note)
    }

    /// What a run takes on this machine, where `what` is its training's name: the time of that, of generating images, and
    /// of `scored` images in the extractor; then what is missing.
    pub fn times(
        &self,
        speed: Speed,
        what: &str,
        (training, generating): (Duration, Duration),
        scored: u64,
    ) -> String {
        let show = |d: Duration| time(d.as_secs_f64());
        let (macs, training, generating) =
            (speed.macs_per_s / 1e9, show(training), show(generating));
        let scoring = match (speed.scoring(scored), speed.scored_per_s) {
            (Some(time), Some(rate)) => {
                let time = show(time);
                format!("estimated time: scoring {time} (extractor at {rate:.0} images per second)")
            }
            _ => format!("scoring: {scored} images, at a speed that cannot be measured here"),
        };
        format!(
            "# this machine: {macs:.1} G multiply-accumulates per second (measured)\n\
             # estimated time: {what} {training}, generating images to score {generating}\n\
             # {scoring}\n{}",
            self.missing
        )
    }
}

fn missing(args: &RunArgs, scorer: &str, kind: &str, error: &SearchError) -> String {
    let fetches = !args.offline && args.sources(false).weights.is_none();
    if fetches && scorer == "inception" {
        return format!("# Inception's weights are not here yet; the {kind} fetches them first.\n");
    }
    let reason = error.to_string().replace('\n', "\n# ");
    format!("# This {kind} cannot run as it is: {reason}\n")
}
