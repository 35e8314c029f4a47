//! The reference of every key, `docs/configuration.md`: made from what is said of each key where it is defined, and from
//! the presets. `cargo run -p autogan-config --example reference > docs/configuration.md` writes it.

use crate::configuration::Flat;
use crate::keys::{Key, Values};
use crate::{Configuration, Result, ScorerConfig, SearchConfig, TrainingConfig};

const INTRODUCTION: &str = "\
# Configuration reference

Every key of the three kinds of configuration. This page is made from the crate `autogan-config` and checked by its
tests; `cargo run -p autogan-config --example reference > docs/configuration.md` writes it anew.

No key has a hidden default: a configuration begins as a preset (`--preset NAME`) or a file (`--config FILE`) with all of
its keys, `--set section.key=value` changes single values, and a run stores the result as `config.toml`. The column
after the unit holds the value in the default preset; the last one names the presets with another value. The values of a
key that is a choice are described at the end of the page.
";

/// The whole page, in Markdown.
///
/// # Errors
/// When a preset is no configuration.
pub fn reference() -> Result<String> {
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
