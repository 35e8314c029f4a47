//! Presets, files, and single values from the command line.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::SearchConfig;
use crate::error::{Result, SearchError};

/// The presets by name, the default first.
pub const PRESETS: &[(&str, &str)] = &[
    ("quick", include_str!("../../../../models/presets/quick.toml")),
    ("cifar10-cpu", include_str!("../../../../models/presets/cifar10-cpu.toml")),
    ("cifar10", include_str!("../../../../models/presets/cifar10.toml")),
    ("stl10", include_str!("../../../../models/presets/stl10.toml")),
    ("paper", include_str!("../../../../models/presets/paper.toml")),
    ("released", include_str!("../../../../models/presets/released.toml")),
];

/// The text of a preset.
///
/// # Errors
/// When there is no preset of this name.
pub fn preset_text(name: &str) -> Result<&'static str> {
    text_among(PRESETS, name)
}

impl SearchConfig {
    /// A preset, with `key=value` settings over it.
    ///
    /// # Errors
    /// When the preset or a key is unknown, or a value does not fit.
    pub fn preset(name: &str, settings: &[String]) -> Result<Self> {
        Self::from_toml(preset_text(name)?, &format!("preset {name}"), settings)
    }

    /// A configuration file, with `key=value` settings over it.
    ///
    /// # Errors
    /// When the file cannot be read, a key is unknown or missing, or a value does not fit.
    pub fn file(path: &Path, settings: &[String]) -> Result<Self> {
        Self::from_toml(&text_of(path)?, &path.display().to_string(), settings)
    }

    /// TOML text named `origin` in messages, with `key=value` settings over it.
    ///
    /// # Errors
    /// When a key is unknown or missing, or a value does not fit.
    pub fn from_toml(text: &str, origin: &str, settings: &[String]) -> Result<Self> {
        read::<Self>(text, origin, settings)?.checked()
    }

    /// The configuration as TOML, as a run stores it.
    ///
    /// # Errors
    /// When a number cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        written(self)
    }
}

/// A configuration from TOML text named `origin` in messages, with `key=value` settings over it; unchecked.
pub(crate) fn read<T: Serialize + DeserializeOwned>(
    text: &str,
    origin: &str,
    settings: &[String],
) -> Result<T> {
    let invalid = |message: String| SearchError::ConfigText { origin: origin.to_owned(), message };
    // Typed first: an error in the text itself then has a line number.
    let typed: T = toml::from_str(text).map_err(|e| invalid(e.to_string()))?;
    if settings.is_empty() {
        return Ok(typed);
    }
    let mut table = toml::Table::try_from(&typed).map_err(|e| invalid(e.to_string()))?;
    for setting in settings {
        set(&mut table, setting)?;
    }
    table.try_into().map_err(|e: toml::de::Error| SearchError::ConfigText {
        origin: format!("--set {}", settings.join(" --set ")),
        message: e.to_string(),
    })
}

/// A configuration as TOML text.
pub(crate) fn written(config: &impl Serialize) -> Result<String> {
    toml::to_string(config).map_err(|e| SearchError::ConfigText {
        origin: "this configuration".into(),
        message: e.to_string(),
    })
}

/// The text of a file.
pub(crate) fn text_of(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|source| SearchError::Io { path: path.to_owned(), source })
}

/// The text of the preset `name` among `presets`.
pub(crate) fn text_among(
    presets: &'static [(&'static str, &'static str)],
    name: &str,
) -> Result<&'static str> {
    presets.iter().find(|(n, _)| *n == name).map(|(_, text)| *text).ok_or_else(|| {
        let known: Vec<&str> = presets.iter().map(|(n, _)| *n).collect();
        SearchError::config("--preset", format!("one of {}", known.join(", ")), name)
    })
}

/// Puts one `section.key=value` into the table; the key must be there already.
fn set(table: &mut toml::Table, setting: &str) -> Result<()> {
    let Some((path, value)) = setting.split_once('=') else {
        return Err(SearchError::config("--set", "KEY=VALUE, such as train.d_batch=32", setting));
    };
    let (path, value) = (path.trim(), value.trim());
    let keys: Vec<&str> = path.split('.').collect();
    let mut here = table;
    for (depth, key) in keys.iter().enumerate() {
        let names: Vec<String> = here.keys().cloned().collect();
        let last = depth + 1 == keys.len();
        match here.get_mut(*key) {
            None => {
                let expected = format!("one of {}{}", section(&keys[..depth]), names.join(", "));
                return Err(SearchError::config(format!("--set {path}"), expected, *key));
            }
            Some(old) if last => {
                *old = parse(value, old);
                return Ok(());
            }
            Some(toml::Value::Table(next)) => here = next,
            Some(_) => {
                let expected = format!("{} to be the last part", keys[..=depth].join("."));
                return Err(SearchError::config(format!("--set {path}"), expected, path));
            }
        }
    }
    Ok(())
}

fn section(keys: &[&str]) -> String {
    if keys.is_empty() { String::new() } else { format!("the keys of {}: ", keys.join(".")) }
}

/// A value in TOML's notation, or a plain word where a word stood; whole numbers become fractions where one stood.
fn parse(value: &str, old: &toml::Value) -> toml::Value {
    let parsed = toml::from_str::<toml::Table>(&format!("v = {value}"))
        .ok()
        .and_then(|mut t| t.remove("v"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    match (old, parsed) {
        (toml::Value::Float(_), toml::Value::Integer(i)) => toml::Value::Float(i as f64),
        (toml::Value::String(_), other) if !other.is_str() => toml::Value::String(value.to_owned()),
        (_, parsed) => parsed,
    }
}
