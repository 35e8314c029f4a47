//! Architectures and configurations.

use autogan_config::{Configuration, ScorerConfig, SearchConfig, TrainingConfig};
use autogan_space::Arch;

pub(crate) fn arch() -> Vec<Vec<u8>> {
    let known = Arch::KNOWN.iter();
    known
        .flat_map(|(name, arch)| [(*name).to_owned(), arch.to_string(), arch.named()])
        .chain(["[1, 0, 1, 1]".to_owned(), "pre-none-nearest-sc".to_owned()])
        .map(String::into_bytes)
        .collect()
}

pub(crate) fn config() -> Vec<Vec<u8>> {
    let settings =
        "seed=3\nmodel.gf=8\ntrain.d_lr=1e-4\nsearch.grow_at=[1, 2]\nreward.metric=log_frechet";
    [SearchConfig::PRESETS, TrainingConfig::PRESETS, ScorerConfig::PRESETS]
        .map(|presets| [presets[0].1, settings].join("\0").into_bytes())
        .to_vec()
}
