//! `docs/configuration.md` is what the keys say of themselves, and what it says of choices is true.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

use std::path::Path;

use autogan_config::{
    Configuration, Key, ScorerConfig, SearchConfig, TrainingConfig, Values, reference,
};

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let found = std::fs::read_to_string(path).unwrap();
    let how =
        "write it anew: cargo run -p autogan-config --example reference > docs/configuration.md";
    assert!(found == reference().unwrap(), "docs/configuration.md is out of date; {how}");
}

/// Calls `check` with the dotted name of every key.
fn visit(keys: &[Key], section: &str, check: &mut dyn FnMut(&str, &Key)) {
    for key in keys {
        match key.values {
            Values::Section(keys) => visit(keys, &format!("{section}{}.", key.name), check),
            _ => check(&format!("{section}{}", key.name), key),
        }
    }
}

fn check_keys<C: Configuration>() {
    let preset = C::preset(C::PRESETS[0].0, &[]).unwrap();
    let mut described = Vec::new();
    visit(C::KEYS.keys(), "", &mut |name, key| {
        described.push(name.to_owned());
        let set = |value: &str| {
            // Alone it may not fit the other values, but it can be read.
            preset.clone().with(&[format!("{name}={value}")]).map(drop).map_err(|e| e.to_string())
        };
        match key.values {
            Values::Choice(words) => {
                for (word, _) in words {
                    let read =
                        set(word).err().is_none_or(|error| !error.contains("unknown variant"));
                    assert!(read, "{name} = {word}");
                }
                assert!(set("no-such-word").unwrap_err().contains("unknown variant"), "{name}");
            }
            Values::Number(expected, _) => {
                let below = preset.flat().unwrap()[name].is_array();
                let error = set(if below { "[-1, -1, -1]" } else { "-1" }).unwrap_err();
                assert!(error.contains(expected) || error.contains("invalid"), "{name}: {error}");
            }
            Values::Flag => assert!(set("true").is_ok() && set("false").is_ok(), "{name}"),
            Values::Section(_) | Values::Other(_) => (),
        }
    });
    let mut all: Vec<String> = preset.flat().unwrap().into_keys().collect();
    all.sort();
    described.sort();
    assert_eq!(described, all);
}

#[test]
fn every_key_is_described_and_takes_what_is_said_of_it_alone() {
    check_keys::<SearchConfig>();
    check_keys::<TrainingConfig>();
    check_keys::<ScorerConfig>();
}
