//! `docs/configuration.md` is made here, from what is said of each key where it is defined and from the presets. A test
//! compares it; with `AUTOGAN_WRITE_DOCS=1` it writes the page. Another tests that what is said of values is true.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

use std::path::Path;

use autogan_config::{
    Configuration, Flat, Key, Result, ScorerConfig, SearchConfig, TrainingConfig, Values,
};

const INTRODUCTION: &str = "\
# Configuration reference

Every key of the three kinds of configuration. This page is made from the crate `autogan-config` and checked by its
tests; `AUTOGAN_WRITE_DOCS=1 cargo test -p autogan-config --test reference` writes it anew.

No key has a hidden default: a configuration begins as a preset (`--preset NAME`) or a file (`--config FILE`) with all of
its keys, `--set section.key=value` changes single values, and a run stores the result as `config.toml`. The column
after the unit holds the value in the default preset; the last one names the presets with another value. The values of a
key that is a choice are described at the end of the page.
";

/// The whole page, in Markdown.
///
/// # Errors
/// When a preset is no configuration.
fn reference() -> Result<String> {
    let mut page = Page { text: INTRODUCTION.to_owned(), choices: Vec::new() };
    page.kind::<SearchConfig>("Searches", "`autogan search`", "models/presets")?;
    page.kind::<TrainingConfig>("Trainings from scratch", "`autogan train`", "models/training")?;
    let folder = "crates/autogan-config/presets/scorer";
    page.kind::<ScorerConfig>("Trainings of a scorer", "`autogan train-scorer`", folder)?;
    page.write_choices();
    Ok(page.text)
}

struct Page {
    text: String,
    /// The choices so far: name of the key, words with their meanings.
    choices: Vec<(&'static str, &'static [(&'static str, &'static str)])>,
}

impl Page {
    fn kind<C: Configuration>(&mut self, title: &str, command: &str, folder: &str) -> Result<()> {
        let presets: Vec<(&str, Flat)> = C::PRESETS
            .iter()
            .map(|(name, _)| Ok((*name, C::preset(name, &[])?.flat()?)))
            .collect::<Result<_>>()?;
        let names: Vec<String> = presets.iter().map(|(name, _)| format!("`{name}`")).collect();
        let names = names.join(", ");
        self.line(&format!("\n## {title}\n\n{command}. Presets, in `{folder}`: {names}.\n"));
        let (sections, keys): (Vec<&Key>, Vec<&Key>) =
            C::KEYS.keys().iter().partition(|key| !key.values.keys().is_empty());
        self.table(&keys, "", &presets);
        for section in sections {
            self.line(&format!("\n### `[{}]`\n\n{}\n", section.name, section.meaning.trim()));
            let keys: Vec<&Key> = section.values.keys().iter().collect();
            self.table(&keys, &format!("{}.", section.name), &presets);
        }
        Ok(())
    }

    fn table(&mut self, keys: &[&Key], section: &str, presets: &[(&str, Flat)]) {
        self.line(&format!("| key | meaning | values | unit | `{}` | others |", presets[0].0));
        self.line("|---|---|---|---|---|---|");
        for key in keys {
            let value = |flat: &Flat| {
                let value = flat.get(&format!("{section}{}", key.name));
                value.map_or(String::new(), |value| format!("`{value}`"))
            };
            let default = value(&presets[0].1);
            let mut others: Vec<(String, Vec<&str>)> = Vec::new();
            for (name, flat) in &presets[1..] {
                let own = value(flat);
                match others.iter_mut().find(|(other, _)| *other == own) {
                    Some((_, names)) => names.push(name),
                    None if own != default => others.push((own, vec![name])),
                    None => (),
                }
            }
            // A preset says its own name.
            others.retain(|_| key.name != "preset" && key.name != "name");
            let others: Vec<String> =
                others.iter().map(|(own, names)| format!("{own} {}", names.join(", "))).collect();
            let (values, meaning) = (self.values(key), key.meaning.trim());
            let (name, unit, others) = (key.name, key.unit, others.join("; "));
            self.line(&format!(
                "| `{name}` | {meaning} | {values} | {unit} | {default} | {others} |"
            ));
        }
    }

    /// What a key may be, in words.
    fn values(&mut self, key: &Key) -> String {
        match key.values {
            Values::Section(_) => String::new(),
            Values::Number(words, _) | Values::Other(words) => words.to_owned(),
            Values::Flag => "`true`, `false`".to_owned(),
            Values::Choice(words) => {
                if !self.choices.contains(&(key.name, words)) {
                    self.choices.push((key.name, words));
                }
                let words: Vec<String> =
                    words.iter().map(|(word, _)| format!("`\"{word}\"`")).collect();
                format!("[{}](#{})", words.join(", "), key.name)
            }
        }
    }

    fn write_choices(&mut self) {
        self.line("\n## Choices");
        for (key, words) in std::mem::take(&mut self.choices) {
            self.line(&format!("\n### `{key}`\n"));
            for (word, meaning) in words {
                self.line(&format!("- `{word}`: {}", meaning.trim()));
            }
        }
    }

    fn line(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }
}

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = reference().unwrap();
    if std::env::var_os("AUTOGAN_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let how = "write it anew: AUTOGAN_WRITE_DOCS=1 cargo test -p autogan-config --test reference";
    let found = std::fs::read_to_string(path).unwrap();
    assert!(found == page, "docs/configuration.md is out of date; {how}");
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
