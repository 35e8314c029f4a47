//! A [`Report`] collects scores, names them, and prints them.

use autogan_metrics::inception::Preset;
use autogan_metrics::scores::resample::LEVEL;
use autogan_metrics::{
    InceptionScoreConfig, Interval, ResampleConfig, inception_score, inception_score_interval,
};
use serde_json::{Map, Value, json};

use super::Options;
use super::names::{INCEPTION, Metric, Names};
use super::sets::{Protocol, Set};

/// Below this number of images FID and IS are biased so much that published figures do not compare.
const USUAL: usize = 10_000;

/// The preset in an extractor's name: `clean` of `inception-v3-clean-64`. Other extractors have one each, themselves.
fn preset(extractor: &str) -> &str {
    let inner = extractor.strip_prefix(INCEPTION).unwrap_or(extractor);
    Preset::ALL.iter().map(|p| p.name()).find(|name| inner.starts_with(name)).unwrap_or(inner)
}

/// Scores as JSON and as lines of text.
pub struct Report<'a> {
    pub(super) options: &'a Options,
    json: Map<String, Value>,
    lines: Vec<String>,
    pub(super) names: Names,
}

impl<'a> Report<'a> {
    /// A report without scores; `protocol` is what the features follow, where that is known.
    pub fn new(options: &'a Options, protocol: Option<Protocol<'_>>, names: Names) -> Self {
        let (name, weights) = protocol.unzip();
        let mut report = Self { options, json: Map::new(), lines: Vec::new(), names };
        report.note("version", json!(env!("CARGO_PKG_VERSION")));
        report.note("extractor", json!(name));
        report.note("weights_sha256", json!(weights.flatten()));
        report.note("preset", json!(name.map(preset)));
        if let Some(config) = report.resample() {
            let (halves, seed) = (config.resamples, config.seed);
            report.note("intervals", json!({ "percent": LEVEL, "halves": halves, "seed": seed }));
        }
        report
    }

    /// Adds something to the JSON that is not a score.
    pub fn note(&mut self, key: &str, value: Value) {
        self.json.insert(key.into(), value);
    }

    /// Notes the numbers of images, and says when they are too small to mean much.
    pub fn count(&mut self, generated: &Set, reference: Option<&Set>) {
        let sets = [("input1_count", Some(generated)), ("input2_count", reference)];
        for (key, set) in sets {
            let Some(set) = set else { continue };
            self.note(key, json!(set.count()));
            let Some(n) = set.count() else { continue };
            if n < set.dims() && reference.is_some() {
                self.options.warn(&format!(
                    "{} holds {n} images, fewer than the {} features of FID: its covariance is singular and FID far \
                     too high",
                    set.label(),
                    set.dims()
                ));
            } else if n < USUAL {
                self.options.warn(&format!(
                    "{} holds {n} images: below {USUAL}, FID is biased upwards and IS downwards; compare only scores \
                     of the same number of images",
                    set.label()
                ));
            }
        }
    }

    /// Adds a score with its spread and its interval, where it has them.
    pub(super) fn add(
        &mut self,
        metric: Metric,
        value: f64,
        std: Option<f64>,
        interval: Option<Interval>,
    ) {
        let (key, key_of_std) = self.names.keys(metric, std.is_some());
        self.json.insert(key, json!(value));
        let spread = std.map_or(String::new(), |std| format!(" ± {std}"));
        if let Some(std) = std {
            self.json.insert(key_of_std, json!(std));
        }
        let range = interval.map_or(String::new(), |interval| {
            let key = self.names.key(metric);
            let parts = [
                ("low", interval.low),
                ("high", interval.high),
                ("standard_error", interval.std_error),
            ];
            for (part, value) in parts {
                self.json.insert(format!("{key}_{part}"), json!(value));
            }
            format!("  [{}, {}]", interval.low, interval.high)
        });
        self.lines.push(format!("{}:  {value}{spread}{range}", self.names.title(metric)));
    }

    /// Adds the Inception Score.
    pub fn inception_score(&mut self, generated: &Set) -> anyhow::Result<()> {
        let config = InceptionScoreConfig {
            splits: self.options.splits,
            shuffle_seed: (!self.options.no_shuffle).then_some(self.options.seed),
        };
        let logits = &generated.features("the Inception Score")?.logits;
        let (score, interval) = match self.resample() {
            Some(resample) => {
                let (score, interval) = inception_score_interval(logits, &config, &resample)?;
                (score, Some(interval))
            }
            None => (inception_score(logits, &config)?, None),
        };
        self.add(Metric::InceptionScore, score.mean, Some(score.std), interval);
        Ok(())
    }

    /// The settings of intervals, where they are asked for.
    pub(super) fn resample(&self) -> Option<ResampleConfig> {
        self.options.settings.resample(self.options.seed)
    }

    /// Prints the results to stdout.
    pub fn print(self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            println!("{}", serde_json::to_string_pretty(&Value::Object(self.json))?);
        } else {
            self.lines.iter().for_each(|line| println!("{line}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_read_from_extractors() {
        assert_eq!(preset("inception-v3-pytorch-fid"), "pytorch-fid");
        assert_eq!(preset("inception-v3-clean-64"), "clean");
        assert_eq!(preset("compact-shapes"), "compact-shapes");
    }
}
