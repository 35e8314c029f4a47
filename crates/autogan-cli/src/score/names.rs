//! [`Names`] gives scores their names: those of torch-fidelity in `autogan score`, and names that tell the whole
//! protocol in `autogan eval`.

use autogan_metrics::MindConfig;
use autogan_metrics::inception::INCEPTION;

use super::{Options, extractor};

/// The scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    InceptionScore,
    Fid,
    Kid,
    Precision,
    Recall,
    FScore,
    Sfid,
    Density,
    Coverage,
    /// Precision over the neighbours of density and coverage.
    PrdcPrecision,
    /// Recall over them.
    PrdcRecall,
    Mmd,
    Mind,
}

/// The settings that belong to the names of scores.
#[derive(Debug, Clone)]
pub struct Protocols {
    /// KID's kernel, where it is not the usual one.
    kernel: Option<String>,
    neighbours: usize,
    mmd: String,
    projections: usize,
}

impl Protocols {
    fn new(options: &Options) -> Self {
        let settings = &options.settings;
        Self {
            kernel: settings.kernel(),
            neighbours: settings.neighbours(),
            mmd: settings.mmd_protocol(),
            projections: settings.projections(),
        }
    }

    /// What the name of a score says of its settings beside those that all scorers share.
    fn of(&self, metric: Metric) -> Option<String> {
        match metric {
            Metric::Kid => self.kernel.clone(),
            Metric::Density | Metric::Coverage | Metric::PrdcPrecision | Metric::PrdcRecall => {
                Some(format!("k{}", self.neighbours))
            }
            Metric::Mmd => Some(self.mmd.clone()),
            Metric::Mind if self.projections != MindConfig::torch_fidelity().projections => {
                Some(format!("{}projections", self.projections))
            }
            _ => None,
        }
    }
}

impl Metric {
    /// The title and the key, which are torch-fidelity's where it has the score.
    fn torch_fidelity(self) -> (&'static str, &'static str) {
        match self {
            Self::InceptionScore => ("Inception Score", "inception_score"),
            Self::Fid => ("FID", "frechet_inception_distance"),
            Self::Kid => ("KID", "kernel_inception_distance"),
            Self::Precision => ("Precision", "precision"),
            Self::Recall => ("Recall", "recall"),
            Self::FScore => ("F-score", "f_score"),
            Self::Sfid => ("sFID", "spatial_frechet_inception_distance"),
            Self::Density => ("Density", "density"),
            Self::Coverage => ("Coverage", "coverage"),
            Self::PrdcPrecision => ("Precision", "prdc_precision"),
            Self::PrdcRecall => ("Recall", "prdc_recall"),
            Self::Mmd => ("MMD", "maximum_mean_discrepancy"),
            Self::Mind => ("MIND", "monge_inception_distance"),
        }
    }
}

/// How scores are named.
#[derive(Debug, Clone)]
pub enum Names {
    /// The names of torch-fidelity; `label` stands behind the titles and names an extractor that is not Inception.
    TorchFidelity { label: String, protocols: Protocols },
    /// `fid_50k_cifar10_train`: number of images, then what they were compared with; extractors and presets that
    /// are not the default stand in front.
    Protocol {
        /// `compact_shapes_`, `clean_`, or empty.
        scope: String,
        /// Number of generated images, as `50k`.
        count: String,
        /// The reference, fit for a name.
        reference: String,
        splits: usize,
        /// Subsets and their size, as `100x1000`.
        kid: String,
        protocols: Protocols,
    },
}

impl Names {
    /// The names of torch-fidelity; `extractor` is the one that gave the features, where that is known.
    pub fn torch_fidelity(options: &Options, extractor: Option<&str>) -> Self {
        let other = extractor.filter(|name| !name.starts_with(INCEPTION));
        let label = other.map_or(String::new(), |name| format!(" ({name})"));
        Self::TorchFidelity { label, protocols: Protocols::new(options) }
    }

    /// The names that tell the protocol of `n` images against `reference`.
    pub fn protocol(options: &Options, n: usize, reference: Option<&str>) -> Self {
        let scope = match options.extractor.as_str() {
            extractor::INCEPTION if options.preset().name() == "torch-fidelity" => String::new(),
            extractor::INCEPTION => format!("{}_", word(options.preset().name())),
            other => format!("{}_", word(other)),
        };
        Self::Protocol {
            scope,
            count: if n.is_multiple_of(1000) { format!("{}k", n / 1000) } else { n.to_string() },
            reference: reference.map_or(String::new(), |set| format!("_{}", word(stem(set)))),
            splits: options.splits,
            kid: options.settings.subsets(),
            protocols: Protocols::new(options),
        }
    }

    /// The keys in JSON of a score, which has a spread or not, and of its standard deviation.
    pub fn keys(&self, metric: Metric, has_spread: bool) -> (String, String) {
        let key = self.key(metric);
        let std = format!("{key}_std");
        match self {
            Self::TorchFidelity { .. } if has_spread => (format!("{key}_mean"), std),
            _ => (key, std),
        }
    }

    /// The key in JSON from which those of a score's parts are made.
    pub fn key(&self, metric: Metric) -> String {
        match self {
            Self::TorchFidelity { protocols, .. } => {
                let protocol =
                    protocols.of(metric).map_or(String::new(), |text| format!("_{text}"));
                format!("{}{protocol}", metric.torch_fidelity().1)
            }
            Self::Protocol { .. } => self.title(metric),
        }
    }

    /// The name on a line of text.
    pub fn title(&self, metric: Metric) -> String {
        match self {
            Self::TorchFidelity { label, protocols } => {
                let protocol = protocols.of(metric);
                let protocol =
                    protocol.map_or(String::new(), |text| format!(" ({})", text.replace('_', " ")));
                format!("{}{protocol}{label}", metric.torch_fidelity().0)
            }
            Self::Protocol { scope, count, reference, splits, kid, protocols } => {
                let (name, setting) = match metric {
                    Metric::InceptionScore => return format!("{scope}is_{count}_{splits}splits"),
                    Metric::Fid => ("fid", String::new()),
                    Metric::Sfid => ("sfid", String::new()),
                    Metric::Kid => ("kid", format!("_{kid}")),
                    Metric::Precision => ("precision", "_k3".to_owned()),
                    Metric::Recall => ("recall", "_k3".to_owned()),
                    Metric::FScore => ("f_score", "_k3".to_owned()),
                    Metric::Density => ("density", String::new()),
                    Metric::Coverage => ("coverage", String::new()),
                    Metric::PrdcPrecision => ("prdc_precision", String::new()),
                    Metric::PrdcRecall => ("prdc_recall", String::new()),
                    Metric::Mmd => ("mmd", String::new()),
                    Metric::Mind => ("mind", String::new()),
                };
                let protocol =
                    protocols.of(metric).map_or(String::new(), |text| format!("_{text}"));
                format!("{scope}{name}_{count}{reference}{setting}{protocol}")
            }
        }
    }
}

/// The last part of a path without its extension; a dataset's name as it is.
fn stem(set: &str) -> &str {
    std::path::Path::new(set).file_stem().and_then(|stem| stem.to_str()).unwrap_or(set)
}

/// Lower-case letters and digits, all else as underscores.
fn word(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn options(line: &str) -> Options {
        Line::parse_from(std::iter::once("score").chain(line.split_whitespace())).options
    }

    #[test]
    fn protocols_are_told_by_the_name() {
        let names = Names::protocol(&options(""), 50_000, Some("cifar10-train"));
        assert_eq!(names.title(Metric::InceptionScore), "is_50k_10splits");
        assert_eq!(names.keys(Metric::InceptionScore, true).1, "is_50k_10splits_std");
        assert_eq!(names.title(Metric::Fid), "fid_50k_cifar10_train");
        assert_eq!(names.title(Metric::Kid), "kid_50k_cifar10_train_100x1000");
        let names =
            Names::protocol(&options("--splits 2 --preset clean"), 128, Some("x/Ref a.npz"));
        assert_eq!(names.title(Metric::InceptionScore), "clean_is_128_2splits");
        assert_eq!(names.title(Metric::Recall), "clean_recall_128_ref_a_k3");
        let names = Names::protocol(&options("--extractor compact-shapes"), 5000, None);
        assert_eq!(names.title(Metric::InceptionScore), "compact_shapes_is_5k_10splits");
    }

    #[test]
    fn scores_of_other_extractors_are_labelled() {
        let title = |extractor| Names::torch_fidelity(&options(""), extractor).title(Metric::Fid);
        assert_eq!(title(Some("compact-cifar10")), "FID (compact-cifar10)");
        assert_eq!(title(Some("inception-v3-clean")), "FID");
        assert_eq!(title(None), "FID");
    }

    #[test]
    fn settings_are_part_of_the_names() {
        let line =
            "--kid-kernel rbf --density-neighbours 7 --mmd-sigma 2.5 --mind-num-projections 50";
        let names = [options(""), options(line)].map(|o| Names::torch_fidelity(&o, None));
        for (metric, usual, other) in [
            (Metric::Kid, "kernel_inception_distance", "kernel_inception_distance_rbf_sigma10"),
            (Metric::Density, "density_k5", "density_k7"),
            (Metric::PrdcRecall, "prdc_recall_k5", "prdc_recall_k7"),
            (
                Metric::Mmd,
                "maximum_mean_discrepancy_rbf_sigma10_x1000",
                "maximum_mean_discrepancy_rbf_sigma2.5_x1000",
            ),
            (Metric::Mind, "monge_inception_distance", "monge_inception_distance_50projections"),
            (
                Metric::Sfid,
                "spatial_frechet_inception_distance",
                "spatial_frechet_inception_distance",
            ),
        ] {
            assert_eq!([names[0].key(metric), names[1].key(metric)], [usual, other]);
        }
        assert_eq!(names[0].title(Metric::Kid), "KID");
        assert_eq!(names[1].title(Metric::Kid), "KID (rbf sigma10)");
        assert_eq!(names[0].title(Metric::Precision), "Precision");
        assert_eq!(names[0].title(Metric::PrdcPrecision), "Precision (k5)");
        let names =
            Names::protocol(&options("--kid-kernel-poly-degree 2"), 5000, Some("shapes-test"));
        assert_eq!(names.title(Metric::Mind), "mind_5k_shapes_test");
        assert_eq!(names.title(Metric::Coverage), "coverage_5k_shapes_test_k5");
        assert_eq!(
            names.title(Metric::Kid),
            "kid_5k_shapes_test_100x1000_poly_degree2_gamma1_over_d_coef1"
        );
    }
}
