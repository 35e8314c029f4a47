//! `autogan search --dry-run`: for every preset a configuration that can be used, sizes and times.

use autogan_search::SearchConfig;
use autogan_space::{GeneratorShape, discriminator_cost, supernet_cost};

use crate::common::{autogan, words};

/// Every preset, with whether it scores by Inception.
const PRESETS: [(&str, bool); 6] = [
    ("quick", false),
    ("cifar10-cpu", false),
    ("cifar10", true),
    ("stl10", true),
    ("paper", true),
    ("released", true),
];

#[test]
fn every_preset_says_what_it_would_do() {
    for (preset, inception) in PRESETS {
        let out = words(&format!("search --preset {preset} --dry-run")).ok();
        // Comments and values together are one valid configuration, that of the preset.
        let config = SearchConfig::from_toml(&out, preset, &[]).unwrap();
        assert_eq!(
            config.to_toml().unwrap(),
            SearchConfig::preset(preset, &[]).unwrap().to_toml().unwrap()
        );
        let m = &config.model;
        let shape = GeneratorShape { latent: m.latent, width: m.gf, bottom: m.bottom };
        let sizes = format!(
            "# parameters: supernet {}, discriminator {}\n",
            supernet_cost(2, &shape).params,
            discriminator_cost(2, m.df, m.bottom).params
        );
        assert!(out.contains(&sizes), "{preset}: {out}");
        for line in [
            "# stage 3: mean ",
            " M multiply-accumulates per image in the generator, ",
            "# estimated time: shared training ",
        ] {
            assert!(out.contains(line), "{preset}: no {line:?} in\n{out}");
        }
        let scoring = out.lines().find(|l| l.contains("scoring") && !l.contains("generating"));
        assert!(scoring.is_some(), "{preset}: {out}");
        assert_eq!(inception, config.reward.scorer == "inception", "{preset}");
    }
}

#[test]
fn settings_and_seed_are_in_the_resolved_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let out = words("search --dry-run --set train.d_batch=7 --set train.g_lr=1e-2 --seed 9").ok();
    let config = SearchConfig::from_toml(&out, "the output", &[]).unwrap();
    assert_eq!((config.train.d_batch, config.train.g_lr, config.seed), (7, 1e-2, 9));
    // What was printed serves as a configuration file, and nothing was made.
    std::fs::write(dir.path().join("config.toml"), &out).unwrap();
    let again = autogan(dir.path(), &["search", "--config", "config.toml", "--dry-run"]).ok();
    assert_eq!(
        SearchConfig::from_toml(&again, "again", &[]).unwrap().to_toml().unwrap(),
        config.to_toml().unwrap()
    );
    assert_eq!(crate::common::files(dir.path()).len(), 1);
}
