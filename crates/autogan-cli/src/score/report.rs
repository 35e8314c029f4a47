//! Scores, and how they are printed.

use autogan_metrics::{
    InceptionScoreConfig, KernelDistanceConfig, frechet_distance, frechet_distance_of_sets,
    inception_score, kernel_distance, precision_recall,
};
use serde_json::{Map, Value, json};

use super::sets::{Set, Sets};
use super::{Choice, Options};

/// Below this number of images the covariance of 2048 features is singular.
const FULL_RANK: usize = 2048;

/// Below this number of images FID and IS are biased so much that published figures do not compare.
const USUAL: usize = 10_000;

/// Neighbour whose distance makes the radius of precision and recall.
const NEIGHBOURS: usize = 3;

/// Scores under torch-fidelity's names, and as lines of text.
pub struct Report<'a> {
    options: &'a Options,
    json: Map<String, Value>,
    lines: Vec<String>,
    /// Behind the name of a score: empty for Inception, the extractor's name otherwise.
    label: String,
}

impl<'a> Report<'a> {
    pub fn new(options: &'a Options, sets: &Sets<'_>) -> Self {
        let (name, weights) = sets.extractor().unzip();
        let label = match options.extractor {
            Choice::Inception => String::new(),
            _ => format!(" ({})", name.unwrap_or_default()),
        };
        let mut json = Map::new();
        json.insert("version".into(), json!(env!("CARGO_PKG_VERSION")));
        json.insert("extractor".into(), json!(name));
        json.insert("weights_sha256".into(), json!(weights.flatten()));
        if options.extractor == Choice::Inception {
            json.insert("preset".into(), json!(options.preset.name()));
        } else {
            json.insert("preset".into(), json!(name));
        }
        Self { options, json, lines: Vec::new(), label }
    }

    /// Notes the numbers of images, and says when they are too small to mean much.
    pub fn count(&mut self, generated: &Set, reference: Option<&Set>) {
        let sets = [("input1_count", Some(generated)), ("input2_count", reference)];
        for (key, set) in sets {
            let Some(set) = set else { continue };
            self.json.insert(key.into(), json!(set.count()));
            let Some(n) = set.count() else { continue };
            if n < FULL_RANK && self.options.extractor == Choice::Inception {
                self.options.warn(&format!(
                    "{} holds {n} images, fewer than the {FULL_RANK} features of FID: its covariance is singular and \
                     FID far too high",
                    set.label()
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

    fn add(&mut self, key: &str, value: f64) {
        self.json.insert(key.into(), json!(value));
    }

    fn line(&mut self, name: &str, value: String) {
        self.lines.push(format!("{name}{}:  {value}", self.label));
    }

    /// Inception Score.
    pub fn inception_score(&mut self, generated: &Set) -> anyhow::Result<()> {
        let config = InceptionScoreConfig {
            splits: self.options.splits,
            shuffle_seed: (!self.options.no_shuffle).then_some(self.options.seed),
        };
        let score = inception_score(&generated.features("the Inception Score")?.logits, &config)?;
        self.add("inception_score_mean", score.mean);
        self.add("inception_score_std", score.std);
        self.line("Inception Score", format!("{} ± {}", score.mean, score.std));
        Ok(())
    }

    /// Fréchet distance.
    pub fn fid(&mut self, generated: &Set, reference: &Set) -> anyhow::Result<()> {
        let distance = match (generated, reference) {
            (Set::Features { features: a, .. }, Set::Features { features: b, .. }) => {
                frechet_distance_of_sets(&a.features, &b.features)?
            }
            _ => frechet_distance(&generated.statistics()?, &reference.statistics()?)?,
        };
        self.add("frechet_inception_distance", distance);
        self.line("FID", distance.to_string());
        Ok(())
    }

    /// Kernel distance.
    pub fn kid(&mut self, generated: &Set, reference: &Set) -> anyhow::Result<()> {
        let config = KernelDistanceConfig {
            subsets: self.options.kid_subsets,
            subset_size: self.options.kid_subset_size,
            seed: self.options.seed,
        };
        let (a, b) = (generated.features("KID")?, reference.features("KID")?);
        let distance = kernel_distance(&a.features, &b.features, &config)?;
        self.add("kernel_inception_distance_mean", distance.mean);
        self.add("kernel_inception_distance_std", distance.std);
        self.line("KID", format!("{} ± {}", distance.mean, distance.std));
        Ok(())
    }

    /// Precision and recall.
    pub fn prc(&mut self, generated: &Set, reference: &Set) -> anyhow::Result<()> {
        let need = "precision and recall";
        let (a, b) = (generated.features(need)?, reference.features(need)?);
        let found = precision_recall(&b.features, &a.features, NEIGHBOURS)?;
        let sum = (found.precision + found.recall).max(1e-5);
        self.add("precision", found.precision);
        self.add("recall", found.recall);
        self.add("f_score", 2.0 * found.precision * found.recall / sum);
        self.line("Precision", found.precision.to_string());
        self.line("Recall", found.recall.to_string());
        Ok(())
    }

    /// Results to stdout.
    pub fn print(self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            println!("{}", serde_json::to_string_pretty(&Value::Object(self.json))?);
        } else {
            self.lines.iter().for_each(|line| println!("{line}"));
        }
        Ok(())
    }
}
