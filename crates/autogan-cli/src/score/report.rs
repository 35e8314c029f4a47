//! A [`Report`] collects scores, names them, and prints them.

use std::collections::BTreeSet;
use std::process::ExitCode;

use autogan_metrics::inception::{INCEPTION, Preset};
use autogan_metrics::scores::resample::LEVEL;
use autogan_metrics::{
    InceptionScoreConfig, Interval, ResampleConfig, inception_score, inception_score_interval,
};
use serde_json::{Map, Value, json};

use super::Options;
use super::names::{Metric, Names};
use super::plan::{Plan, Wanted};
use super::protocol::Protocol;
use super::sets::Set;

/// Below this number of images FID and IS are biased so much that published figures do not compare.
const USUAL: usize = 10_000;

/// The preset in an extractor's name: `clean` of `inception-v3-clean-64`. Other extractors have one each, themselves.
pub(super) fn preset(extractor: &str) -> &str {
    let inner = extractor.strip_prefix(INCEPTION).unwrap_or(extractor);
    Preset::ALL.iter().map(|p| p.name()).find(|name| inner.starts_with(name)).unwrap_or(inner)
}

/// A number as a person reads it: 8 digits that count, and no `1e-17` for what is 0. JSON has all digits.
fn readable(value: f64) -> String {
    const DIGITS: i32 = 8;
    if value.abs() < 1e-12 {
        return "0".into();
    }
    let places = (DIGITS - 1 - value.abs().log10().floor() as i32).clamp(0, 17) as usize;
    let text = format!("{value:.places$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').into(),
        false => text,
    }
}

/// Scores as JSON and as lines of text.
pub struct Report<'a> {
    pub(super) options: &'a Options,
    json: Map<String, Value>,
    lines: Vec<String>,
    pub(super) names: Names,
    /// The warnings that were told.
    pub(super) said: BTreeSet<&'static str>,
}

impl<'a> Report<'a> {
    /// A report without scores; `protocol` is what the features follow, where that is known.
    pub fn new(options: &'a Options, protocol: Option<Protocol<'_>>, names: Names) -> Self {
        let (name, weights) = protocol.unzip();
        let (json, lines, said) = (Map::new(), Vec::new(), BTreeSet::new());
        let mut report = Self { options, json, lines, names, said };
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
            if let Some(left_out) = set.left_out() {
                let counts: Map<String, Value> =
                    left_out.counts().map(|(reason, count)| (reason, json!(count))).collect();
                self.note(&key.replace("count", "left_out"), Value::Object(counts));
            }
            // How many images stored statistics are of, their file says or nobody does.
            let Some(n) = set.count().filter(|_| !set.has_statistics_beside()) else { continue };
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
        let spread = std.map_or(String::new(), |std| format!(" ± {}", readable(std)));
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
            format!("  [{}, {}]", readable(interval.low), readable(interval.high))
        });
        let (title, value) = (self.names.title(metric), readable(value));
        self.lines.push(format!("{title}:  {value}{spread}{range}"));
    }

    /// Adds the scores of a set, and against a reference those that compare, each if it is asked for.
    pub fn scores(
        &mut self,
        generated: &Set,
        reference: Option<&Set>,
        wanted: Wanted,
    ) -> anyhow::Result<()> {
        if wanted.inception_score {
            self.inception_score(generated)?;
        }
        match reference {
            Some(reference) if wanted.compares() => self.compare(generated, reference, wanted),
            _ => Ok(()),
        }
    }

    /// Adds the Inception Score.
    fn inception_score(&mut self, generated: &Set) -> anyhow::Result<()> {
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

    /// Prints the results, with what was asked for and could not be computed. The code is 1 when there is any of that.
    pub fn finish(mut self, plan: &Plan, as_json: bool) -> anyhow::Result<ExitCode> {
        if plan.refused.is_empty() {
            self.print(as_json)?;
            return Ok(ExitCode::SUCCESS);
        }
        self.note("not_computed", json!(plan.refused));
        self.print(as_json)?;
        Ok(ExitCode::from(1))
    }

    /// Prints the results to stdout.
    fn print(self, as_json: bool) -> anyhow::Result<()> {
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
    fn numbers_are_readable() {
        for (value, text) in [
            (0.0, "0"),
            (-1.15e-14, "0"),
            (8.553_512_345_678, "8.5535123"),
            (100.0, "100"),
            (123_456_789.6, "123456790"),
            (-0.000_012_345_678_9, "-0.000012345679"),
            (0.5, "0.5"),
        ] {
            assert_eq!(readable(value), text);
        }
        assert_eq!(readable(f64::NAN), "NaN");
    }

    #[test]
    fn presets_are_read_from_extractors() {
        assert_eq!(preset("inception-v3-pytorch-fid"), "pytorch-fid");
        assert_eq!(preset("inception-v3-clean-64"), "clean");
        assert_eq!(preset("compact-shapes"), "compact-shapes");
    }
}
