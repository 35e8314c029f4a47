//! `--dry-run` of a search and of a training prints, for every preset, a valid configuration, sizes and times.

use autogan_config::Configuration;
use autogan_search::{SearchConfig, TrainingConfig};
use autogan_space::{
    Arch, GeneratorShape, derived_generator_cost, discriminator_cost, supernet_cost,
};

use crate::common::{autogan, files, tiny_run, tiny_training, words};

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
    // The output serves as a configuration file, and the command wrote no file.
    std::fs::write(dir.path().join("config.toml"), &out).unwrap();
    let again = autogan(dir.path(), &["search", "--config", "config.toml", "--dry-run"]).ok();
    assert_eq!(
        SearchConfig::from_toml(&again, "again", &[]).unwrap().to_toml().unwrap(),
        config.to_toml().unwrap()
    );
    assert_eq!(files(dir.path()).len(), 1);
}

#[test]
fn every_preset_of_a_training_says_what_it_would_do() {
    for (preset, inception) in PRESETS {
        let out =
            words(&format!("train --arch e2gan --preset {preset} --dry-run --seed 5 --offline"))
                .ok();
        let config = TrainingConfig::from_toml(&out, preset, &[]).unwrap();
        assert_eq!((config.arch.clone(), config.seed), (Arch::E2GAN, 5));
        let m = &config.model;
        let shape = GeneratorShape { latent: m.latent, width: m.gf, bottom: m.bottom };
        let g = derived_generator_cost(&config.arch, &shape);
        let d = discriminator_cost(2, m.df, m.bottom);
        for line in [
            format!("# parameters: generator {}, discriminator {}\n", g.params, d.params),
            format!(
                "# {:.1} M multiply-accumulates per image in the generator, {:.1} M in the discriminator\n",
                g.macs as f64 / 1e6,
                d.macs as f64 / 1e6
            ),
            format!("# {} iterations of a G step and", config.schedule.g_iterations),
            format!("{} scores of {} images", config.scores(), config.score.images),
            "# estimated time: training ".to_owned(),
        ] {
            assert!(out.contains(&line), "{preset}: no {line:?} in\n{out}");
        }
        assert_eq!(inception, out.contains("# scoring: "), "{preset}: {out}");
        let cannot =
            |why: &str| out.contains(&format!("# This training cannot run as it is: {why}"));
        assert_eq!(cannot("the scorer is inception"), inception, "{preset}: {out}");
        let files = config.data.dataset != "shapes";
        assert_eq!(
            out.contains(&format!("# {} needs --data", config.data.dataset)),
            files,
            "{preset}: {out}"
        );
    }
}

#[test]
fn a_look_at_the_best_of_a_search_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    tiny_run(dir.path(), "found", &["--quiet"]);
    let args = ["train", "--from-run", "found", "--top", "2", "--dry-run"];
    let args = [&args[..], &tiny_training(&[])].concat();
    let out = autogan(dir.path(), &args).ok();
    let found = autogan_run::RunDir::open(&dir.path().join("found")).unwrap().arch().unwrap();
    let found = found.unwrap().top;
    let config = TrainingConfig::from_toml(&out, "the output", &[]).unwrap();
    assert_eq!(config.arch, found[0].arch);
    for found in &found {
        let line = format!("# rank {}: {}; {} parameters, ", found.rank, found.arch, found.params);
        assert!(out.contains(&line), "no {line:?} in\n{out}");
    }
    assert!(out.contains("# estimated time: training "), "{out}");
    assert_eq!(files(dir.path()).len(), 1);
    // A dry run refuses the same settings as a real run.
    let few = [&args[..], &["--set", "score.splits=41", "--set", "score.images=50"]].concat();
    assert!(autogan(dir.path(), &few).fails(1).contains("score.splits: expected at most 40"));
}
