//! What runs stored is read back, also where it is of an earlier version, and told apart.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

use autogan_config::{Configuration, RunConfig, SearchConfig, TrainingConfig, differences};

/// The configuration as the first version wrote it: without the keys that came later.
fn first_version(text: &str, later: &[&str]) -> String {
    let known = |line: &&str| !later.iter().any(|key| line.starts_with(&format!("{key} = ")));
    let kept: Vec<&str> = text.lines().filter(known).collect();
    kept.join("\n").replace("[budget]", "").replace("[strategy]", "")
}

#[test]
fn runs_of_earlier_versions_are_read_as_what_they_did() {
    let search = SearchConfig::preset("paper", &[]).unwrap();
    let later = [
        "drop_alpha",
        "name",
        "budget",
        "lengths",
        "at_once",
        "image_cost",
        "supernet_iterations",
        "levels",
        "candidates_from",
        "pick",
        "shared_sampling",
        "policy",
        "distinct_within",
        "cost",
        "cost_weight",
        "standardise",
        "latents",
        "max_params",
        "max_macs",
        "spectral_warm_up",
        "adam",
        "restart_steps",
        "check",
        "entropy_unit",
        "drawn",
    ];
    let old = first_version(&search.to_toml().unwrap(), &later);
    assert!(SearchConfig::from_toml(&old, "a file", &[]).is_err(), "a file has to be complete");
    assert_eq!(RunConfig::read(&old, "a run").unwrap(), RunConfig::Search(Box::new(search)));

    let training = TrainingConfig::preset("stl10", &[]).unwrap();
    let later = ["precision", "drop_alpha", "spectral_warm_up", "adam"];
    let old = first_version(&training.to_toml().unwrap(), &later);
    assert_eq!(RunConfig::read(&old, "a run").unwrap(), RunConfig::Training(Box::new(training)));
}

#[test]
fn what_no_version_wrote_is_an_error_that_names_it() {
    let text = SearchConfig::preset("quick", &[]).unwrap().to_toml().unwrap();
    for (text, part) in [
        (text.replace("seed = 0", "seed = 0\nlater = 1"), "later"),
        (text.replace("seed = 0", ""), "seed"),
        (text.replace("gf = 24", "gf = 0"), "model.gf"),
        ("seed = = 3".to_owned(), "a run"),
    ] {
        let error = RunConfig::read(&text, "a run").unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn differences_are_between_values_and_name_their_keys() {
    let flat = |settings: &[&str]| {
        let settings: Vec<String> = settings.iter().map(|text| (*text).to_owned()).collect();
        SearchConfig::preset("quick", &settings).unwrap().flat().unwrap()
    };
    assert!(differences(&[flat(&[]), flat(&["train.d_lr=2e-3"])]).is_empty());
    let training = TrainingConfig::preset("quick", &[]).unwrap().flat().unwrap();
    let all = differences(&[flat(&[]), flat(&["model.gf=8"]), training]);
    let of = |key: &str| all.iter().find(|(known, _)| known == key).map(|(_, values)| values);
    let gf = of("model.gf").unwrap();
    assert_eq!(*gf, [24, 8, 32].map(|width| Some(toml::Value::Integer(width))));
    assert!(of("schedule.g_iterations").unwrap()[..2] == [None, None]);
    assert!(of("model.df").is_none());
}
