//! [`Names`] gives scores their names: those of torch-fidelity in `autogan score`, and names that tell the whole
//! protocol in `autogan eval`.

use super::{Options, extractor};

/// How the names of Inception's extractors begin; the preset follows.
pub const INCEPTION: &str = "inception-v3-";

/// The scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    InceptionScore,
    Fid,
    Kid,
    Precision,
    Recall,
    FScore,
}

impl Metric {
    /// The title and the key that torch-fidelity gives it.
    fn torch_fidelity(self) -> (&'static str, &'static str) {
        match self {
            Self::InceptionScore => ("Inception Score", "inception_score"),
            Self::Fid => ("FID", "frechet_inception_distance"),
            Self::Kid => ("KID", "kernel_inception_distance"),
            Self::Precision => ("Precision", "precision"),
            Self::Recall => ("Recall", "recall"),
            Self::FScore => ("F-score", "f_score"),
        }
    }
}

/// How scores are named.
#[derive(Debug, Clone)]
pub enum Names {
    /// The names of torch-fidelity; `label` stands behind the titles and names an extractor that is not Inception.
    TorchFidelity { label: String },
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
    },
}

impl Names {
    /// The names of torch-fidelity; `extractor` is the one that gave the features, where that is known.
    pub fn torch_fidelity(extractor: Option<&str>) -> Self {
        let other = extractor.filter(|name| !name.starts_with(INCEPTION));
        Self::TorchFidelity { label: other.map_or(String::new(), |name| format!(" ({name})")) }
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
            kid: format!("{}x{}", options.kid_subsets, options.kid_subset_size),
        }
    }

    /// The keys in JSON of a score, which has a spread or not, and of its standard deviation.
    pub fn keys(&self, metric: Metric, has_spread: bool) -> (String, String) {
        let title = self.title(metric);
        match (self, metric.torch_fidelity().1) {
            (Self::TorchFidelity { .. }, key) if has_spread => {
                (format!("{key}_mean"), format!("{key}_std"))
            }
            (Self::TorchFidelity { .. }, key) => (key.to_owned(), format!("{key}_std")),
            (Self::Protocol { .. }, _) => (title.clone(), title + "_std"),
        }
    }

    /// The name on a line of text.
    pub fn title(&self, metric: Metric) -> String {
        match self {
            Self::TorchFidelity { label } => format!("{}{label}", metric.torch_fidelity().0),
            Self::Protocol { scope, count, reference, splits, kid } => {
                let rest = match metric {
                    Metric::InceptionScore => format!("is_{count}_{splits}splits"),
                    Metric::Fid => format!("fid_{count}{reference}"),
                    Metric::Kid => format!("kid_{count}{reference}_{kid}"),
                    Metric::Precision => format!("precision_{count}{reference}_k3"),
                    Metric::Recall => format!("recall_{count}{reference}_k3"),
                    Metric::FScore => format!("f_score_{count}{reference}_k3"),
                };
                format!("{scope}{rest}")
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
        let title = |extractor| Names::torch_fidelity(extractor).title(Metric::Fid);
        assert_eq!(title(Some("compact-cifar10")), "FID (compact-cifar10)");
        assert_eq!(title(Some("inception-v3-clean")), "FID");
        assert_eq!(title(None), "FID");
    }
}
