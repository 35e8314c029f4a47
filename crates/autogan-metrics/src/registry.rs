//! [`SCORERS`] lists the feature extractors that a configuration or a command line can name. A new one is one entry.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use autogan_hub::{
    CLIP_VIT_B32, CLIP_VIT_L14_336, DINOV2_BASE, DINOV2_LARGE, DINOV2_SMALL, Hub, HubFile,
    PinnedFile,
};
use candle_core::Device;

use crate::compact::CompactClassifier;
use crate::inception::{InceptionV3, KNOWN_WEIGHTS, Preset, Tap};
use crate::resnet::ResNet;
use crate::vit::{self, Vit};
use crate::{Error, FeatureExtractor, Result};

/// A feature extractor that several users share.
type SharedExtractor = Arc<dyn FeatureExtractor>;

/// Every scorer that [`load_scorer`] knows.
pub const SCORERS: &[ScorerSpec] = &[
    ScorerSpec {
        name: "inception",
        summary: "Inception-v3, behind all published figures",
        has_classes: true,
        load: Load::File(WeightSource::Inception, |path, options, device| {
            Ok(Arc::new(InceptionV3::load(path, options.preset, options.features, device)?))
        }),
    },
    ScorerSpec {
        name: "compact-cifar10",
        summary: "Compact classifier of CIFAR-10, embedded",
        has_classes: true,
        load: Load::Embedded(|device| Ok(Arc::new(CompactClassifier::cifar10(device)?))),
    },
    ScorerSpec {
        name: "compact-shapes",
        summary: "Compact classifier of the embedded dataset, embedded",
        has_classes: true,
        load: Load::Embedded(|device| Ok(Arc::new(CompactClassifier::shapes(device)?))),
    },
    ScorerSpec {
        name: "dinov2-vits14",
        summary: "DINOv2 ViT-S/14, the smallest (88 MB)",
        has_classes: false,
        load: Load::File(WeightSource::Hub(&DINOV2_SMALL), |path, _, device| {
            Ok(Arc::new(Vit::load(path, &vit::DINOV2_VITS14, device)?))
        }),
    },
    ScorerSpec {
        name: "dinov2-vitb14",
        summary: "DINOv2 ViT-B/14 (346 MB)",
        has_classes: false,
        load: Load::File(WeightSource::Hub(&DINOV2_BASE), |path, _, device| {
            Ok(Arc::new(Vit::load(path, &vit::DINOV2_VITB14, device)?))
        }),
    },
    ScorerSpec {
        name: "dinov2-vitl14",
        summary: "DINOv2 ViT-L/14 of FD-DINOv2 (1.2 GB)",
        has_classes: false,
        load: Load::File(WeightSource::Hub(&DINOV2_LARGE), |path, _, device| {
            Ok(Arc::new(Vit::load(path, &vit::DINOV2_VITL14, device)?))
        }),
    },
    ScorerSpec {
        name: "clip-vit-b32",
        summary: "CLIP ViT-B/32 (605 MB)",
        has_classes: false,
        load: Load::File(WeightSource::Hub(&CLIP_VIT_B32), |path, _, device| {
            Ok(Arc::new(Vit::load(path, &vit::CLIP_VIT_B32, device)?))
        }),
    },
    ScorerSpec {
        name: "clip-vit-l14-336",
        summary: "CLIP ViT-L/14 at 336 pixels of CMMD (1.7 GB)",
        has_classes: false,
        load: Load::File(WeightSource::Hub(&CLIP_VIT_L14_336), |path, _, device| {
            Ok(Arc::new(Vit::load(path, &vit::CLIP_VIT_L14_336, device)?))
        }),
    },
    ScorerSpec {
        name: "resnet20-cifar10",
        summary: "ResNet-20 of CIFAR-10, from a file",
        has_classes: true,
        load: Load::File(WeightSource::Published(RESNET20), |path, _, device| {
            Ok(Arc::new(ResNet::load(path, 20, device)?))
        }),
    },
    ScorerSpec {
        name: "resnet56-cifar10",
        summary: "ResNet-56 of CIFAR-10, from a file",
        has_classes: true,
        load: Load::File(WeightSource::Published(RESNET56), |path, _, device| {
            Ok(Arc::new(ResNet::load(path, 56, device)?))
        }),
    },
];

/// Where ResNet-20's published weights are.
const RESNET20: &str =
    "pretrained_models/resnet20-12fca82f.th of github.com/akamaster/pytorch_resnet_cifar10";

/// Where ResNet-56's published weights are.
const RESNET56: &str =
    "pretrained_models/resnet56-4bfd9763.th of github.com/akamaster/pytorch_resnet_cifar10";

/// A scorer of the registry: its name, a line about it, and how it is made.
#[derive(Debug, Clone, Copy)]
pub struct ScorerSpec {
    /// The name under which it is asked for.
    pub name: &'static str,
    /// One line for a list of scorers.
    pub summary: &'static str,
    /// Whether it has classes, which the Inception Score needs.
    pub has_classes: bool,
    /// How it is made.
    pub load: Load,
}

/// Makes a scorer, which then computes on the given device.
#[derive(Debug, Clone, Copy)]
pub enum Load {
    /// The weights are part of the program.
    Embedded(fn(&Device) -> Result<SharedExtractor>),
    /// The weights are a file, which comes from this source.
    File(WeightSource, fn(&Path, &ScorerOptions, &Device) -> Result<SharedExtractor>),
}

impl ScorerSpec {
    /// Where the weights come from; `None` where they are embedded.
    #[must_use]
    pub fn source(&self) -> Option<WeightSource> {
        match self.load {
            Load::Embedded(_) => None,
            Load::File(source, _) => Some(source),
        }
    }
}

/// Where a scorer's file of weights comes from.
#[derive(Debug, Clone, Copy)]
pub enum WeightSource {
    /// One of the two known files of Inception on the hub.
    Inception,
    /// This file on the hub.
    Hub(&'static PinnedFile),
    /// A file that the user has; the text says where it is published.
    Published(&'static str),
}

impl WeightSource {
    /// Whether the file can be taken from another repository on the hub.
    #[must_use]
    pub fn is_on_hub(self) -> bool {
        !matches!(self, Self::Published(_))
    }

    /// SHA-256 of the files whose scores compare with published ones; none where that is not known.
    #[must_use]
    pub fn known_hashes(self) -> Vec<&'static str> {
        match self {
            Self::Inception => KNOWN_WEIGHTS.to_vec(),
            Self::Hub(file) => vec![&*file.sha256],
            Self::Published(_) => Vec::new(),
        }
    }

    /// The right file, in words.
    fn right_file(self) -> String {
        match self {
            Self::Inception => {
                "pytorch-fid's pt_inception-2015-12-05-6726825d.pth or its copy as safetensors (on the command line: \
                 `autogan weights fetch`)"
                    .into()
            }
            Self::Hub(file) => format!("{file} on the hub"),
            Self::Published(origin) => origin.into(),
        }
    }
}

/// The source of a scorer's weights, and the protocol that is followed. Scorers with embedded weights ignore them.
#[derive(Clone)]
pub struct ScorerOptions {
    /// The weights as a file, safetensors or `.pth`; `None` for the hub or its cache.
    pub weights: Option<PathBuf>,
    /// Another repository on the hub, `owner/name`, and its revision; `main` without one. For Inception it must hold the
    /// known file; of other networks the hash of the first fetch is recorded, unless it is the known repository.
    pub repository: Option<(String, Option<String>)>,
    /// The source of weights that are not given as a file.
    pub hub: Hub,
    /// How Inception's images are resized and scaled.
    pub preset: Preset,
    /// The features that are taken of Inception.
    pub features: Tap,
}

impl ScorerOptions {
    /// Options with the weights of this file, or of `hub` without one; the protocol of torch-fidelity, 2048 features.
    pub fn new(weights: Option<PathBuf>, hub: Hub) -> Self {
        let (preset, features) = (Preset::TorchFidelity, Tap::D2048);
        Self { weights, repository: None, hub, preset, features }
    }

    /// The file of the weights of `scorer`.
    fn file(&self, scorer: &'static str, source: WeightSource) -> Result<PathBuf> {
        if let Some(path) = &self.weights {
            return Ok(path.clone());
        }
        let (repo, revision) = match &self.repository {
            Some((repo, revision)) => (Some(repo.as_str()), revision.as_deref()),
            None => (None, None),
        };
        let fetched = match source {
            WeightSource::Published(origin) => {
                return Err(Error::ScorerNeedsFile { scorer, origin });
            }
            WeightSource::Inception => self.hub.inception(repo, revision),
            WeightSource::Hub(file) => match repo {
                Some(repo) if repo != file.repo || revision.is_some_and(|r| r != file.revision) => {
                    let other = HubFile {
                        kind: file.kind,
                        repo: repo.to_owned(),
                        revision: revision.unwrap_or("main").to_owned(),
                        filename: file.filename.clone().into_owned(),
                        sha256: None,
                    };
                    self.hub.fetch_recorded(&other)
                }
                _ => self.hub.fetch(file),
            },
        };
        fetched.map_err(|source| Error::ScorerWeights { scorer, source })
    }
}

/// The entry of the scorer called `name`.
///
/// # Errors
/// When there is none of this name; the error lists them.
pub fn scorer_spec(name: &str) -> Result<&'static ScorerSpec> {
    SCORERS.iter().find(|spec| spec.name == name).ok_or_else(|| {
        let known: Vec<_> = SCORERS.iter().map(|spec| spec.name).collect();
        Error::UnknownScorer { name: name.to_owned(), known: known.join(", ") }
    })
}

/// [`load_scorer`] for the Inception Score, which needs classes.
///
/// # Errors
/// As [`load_scorer`]; [`Error::NoClasses`] before any weights are fetched.
pub fn load_classifier(
    name: &str,
    options: &ScorerOptions,
    device: &Device,
) -> Result<SharedExtractor> {
    let spec = scorer_spec(name)?;
    if spec.has_classes {
        return load_scorer(name, options, device);
    }
    let with: Vec<_> = SCORERS.iter().filter(|s| s.has_classes).map(|s| s.name).collect();
    Err(Error::NoClasses { scorer: spec.name, with: with.join(", ") })
}

/// The scorer called `name`, which computes on `device`.
///
/// # Errors
/// When there is none of this name (the error lists them), or its weights cannot be fetched or read.
pub fn load_scorer(
    name: &str,
    options: &ScorerOptions,
    device: &Device,
) -> Result<SharedExtractor> {
    let spec = scorer_spec(name)?;
    match spec.load {
        Load::Embedded(load) => load(device),
        Load::File(source, load) => {
            let path = options.file(spec.name, source)?;
            load(&path, options, device).map_err(|error| Error::ScorerFile {
                scorer: spec.name,
                path,
                source: Box::new(error),
                right: source.right_file(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, options: &ScorerOptions) -> String {
        load_scorer(name, options, &Device::Cpu).err().unwrap().to_string()
    }

    #[test]
    fn scorers_are_known_by_name_and_say_which_weights_they_have() {
        let options = ScorerOptions::new(None, Hub::from_env(true));
        for name in ["compact-shapes", "compact-cifar10"] {
            let scorer = load_scorer(name, &options, &Device::Cpu).unwrap();
            assert_eq!(scorer.name(), name);
            assert_eq!(scorer.weights_sha256().map(str::len), Some(64));
        }
        let error = refusal("taste", &options);
        assert!(error.contains("taste") && error.contains("compact-shapes"), "{error}");
    }

    #[test]
    fn a_wrong_file_is_named_beside_the_right_one() {
        let nowhere = ScorerOptions::new(Some("nowhere.pth".into()), Hub::from_env(true));
        for (name, right) in [
            ("inception", "pt_inception-2015-12-05-6726825d.pth"),
            ("dinov2-vitl14", "facebook/dinov2-large/model.safetensors"),
            ("clip-vit-l14-336", "openai/clip-vit-large-patch14-336/pytorch_model.bin"),
            ("resnet56-cifar10", "resnet56-4bfd9763.th"),
        ] {
            let error = refusal(name, &nowhere);
            assert!(error.contains("nowhere.pth") && error.contains(right), "{error}");
        }
    }

    #[test]
    fn weights_that_are_not_here_are_asked_for_where_they_are() {
        let cache = tempfile::tempdir().unwrap();
        let hub = Hub { cache: cache.path().into(), ..Hub::from_env(true) };
        let mut options = ScorerOptions::new(None, hub);
        let error = refusal("dinov2-vits14", &options);
        assert!(
            error.contains("models--facebook--dinov2-small") && error.contains("--weights FILE"),
            "{error}"
        );
        assert!(refusal("resnet20-cifar10", &options).contains("resnet20-12fca82f.th"));
        let error = load_classifier("dinov2-vits14", &options, &Device::Cpu).err().unwrap();
        assert!(error.to_string().contains("compact-cifar10, compact-shapes, resnet20"), "{error}");
        assert!(load_classifier("compact-shapes", &options, &Device::Cpu).is_ok());
        options.repository = Some(("someone/copy".into(), None));
        let error = refusal("clip-vit-b32", &options);
        assert!(error.contains("someone/copy/pytorch_model.bin @ main"), "{error}");
        options.repository = Some((DINOV2_SMALL.repo.to_string(), None));
        assert!(refusal("dinov2-vits14", &options).contains(&*DINOV2_SMALL.revision));
    }
}
