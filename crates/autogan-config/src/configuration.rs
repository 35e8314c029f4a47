//! The trait [`Configuration`] reads a configuration from a preset or a file, changes, checks and writes it.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::change::{self, Flat};
use crate::error::{ConfigError, Result};
use crate::keys::Values;

/// Presets by name with their text, the default first.
pub type Presets = &'static [(&'static str, &'static str)];

/// The presets of one folder under `presets`.
macro_rules! presets {
    ($folder:literal: $($name:literal),+) => {
        &[$(($name, include_str!(concat!("../presets/", $folder, "/", $name, ".toml")))),+]
    };
}
pub(crate) use presets;

/// A kind of configuration.
pub trait Configuration: Clone + PartialEq + Serialize + DeserializeOwned {
    /// The presets by name, the default first.
    const PRESETS: Presets;
    /// The section of all keys.
    const KEYS: Values;
    /// Keys and sections that may change while a run goes on.
    const FREE: &'static [&'static str] = &[];
    /// Keys and sections that say what is in a checkpoint or where a run is: with another value it cannot go on.
    const FIXED: &'static [&'static str] = &[];
    /// The keys that came later, with what earlier versions did without them, as TOML.
    const ADDED: &'static str = "";

    /// Checks whether the values, each of them possible, fit each other.
    ///
    /// # Errors
    /// When they do not: the message names the key, what it may be and what was found.
    fn check_together(&self) -> Result<()>;

    /// Returns the configuration itself, when every value is possible and they fit each other.
    ///
    /// # Errors
    /// When one is not: the message names the key, what it may be and what was found.
    fn checked(self) -> Result<Self> {
        Self::KEYS.check("", &toml::Value::Table(table(&self)?))?;
        self.check_together()?;
        Ok(self)
    }

    /// Reads the configuration that a run or a checkpoint stores, named `origin` in messages. One of an earlier version
    /// lacks the keys that came later, and gets what that version did ([`ADDED`](Self::ADDED)). Whether the values fit
    /// each other was checked when the run was made.
    ///
    /// # Errors
    /// When the text is no configuration of this kind, or one of a later version.
    fn stored(text: &str, origin: &str) -> Result<Self> {
        let parse =
            |text: &str| text.parse().map_err(|e: toml::de::Error| text_error(origin, e.message()));
        let mut all: toml::Table = parse(text)?;
        for (name, value) in parse(Self::ADDED)? {
            match (all.get_mut(&name), value) {
                (Some(toml::Value::Table(section)), toml::Value::Table(keys)) => {
                    for (key, value) in keys {
                        section.entry(key).or_insert(value);
                    }
                }
                (Some(_), _) => (),
                (None, value) => drop(all.insert(name, value)),
            }
        }
        Self::KEYS.check("", &toml::Value::Table(all.clone()))?;
        let one_line = |e: toml::de::Error| e.to_string().trim().replace('\n', " ");
        all.try_into().map_err(|e| text_error(origin, one_line(e)))
    }

    /// Reads a preset, with `key=value` settings over it.
    ///
    /// # Errors
    /// When the preset or a key is unknown, or a value does not fit.
    fn preset(name: &str, settings: &[String]) -> Result<Self> {
        let found = Self::PRESETS.iter().find(|(known, _)| *known == name);
        let (_, text) = found.ok_or_else(|| {
            let known: Vec<&str> = Self::PRESETS.iter().map(|(known, _)| *known).collect();
            ConfigError::value("--preset", format!("one of {}", known.join(", ")), name)
        })?;
        Self::from_toml(text, &format!("preset {name}"), settings)
    }

    /// Reads a configuration file, with `key=value` settings over it.
    ///
    /// # Errors
    /// When the file cannot be read, a key is unknown or missing, or a value does not fit.
    fn file(path: &Path, settings: &[String]) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Io { path: path.to_owned(), source })?;
        Self::from_toml(&text, &path.display().to_string(), settings)
    }

    /// Reads TOML text named `origin` in messages, with `key=value` settings over it.
    ///
    /// # Errors
    /// When a key is unknown or missing, or a value does not fit.
    fn from_toml(text: &str, origin: &str, settings: &[String]) -> Result<Self> {
        // Typed first: an error in the text itself then has a line number.
        let typed: Self = toml::from_str(text).map_err(|e| text_error(origin, e))?;
        typed.with(settings)
    }

    /// Returns the configuration with `key=value` settings over it.
    ///
    /// # Errors
    /// When a key is unknown, or a value does not fit.
    fn with(self, settings: &[String]) -> Result<Self> {
        if settings.is_empty() {
            return self.checked();
        }
        let mut table = table(&self)?;
        for setting in settings {
            set(&mut table, setting)?;
        }
        let origin = format!("--set {}", settings.join(" --set "));
        let typed: Self = table.try_into().map_err(|e| text_error(&origin, e))?;
        typed.checked()
    }

    /// The configuration as TOML, as a run stores it.
    ///
    /// # Errors
    /// When a number cannot be written as TOML.
    fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| text_error("this configuration", e))
    }

    /// Every value by its dotted key.
    ///
    /// # Errors
    /// When a number cannot be written as TOML.
    fn flat(&self) -> Result<Flat> {
        Ok(change::flat(table(self)?))
    }

    /// Whether a run of `self` can go on with `next`. The keys and sections in [`FREE`](Self::FREE) may differ, those in
    /// [`FIXED`](Self::FIXED) never, and others when `allowed` names them or their section.
    ///
    /// # Errors
    /// When something else differs, with its keys; when `allowed` names what is no key or one that cannot change.
    fn check_continues(&self, next: &Self, allowed: &[String]) -> Result<()> {
        change::check_continues(self.flat()?, next.flat()?, allowed, Self::FREE, Self::FIXED)
    }
}

fn table(config: &impl Serialize) -> Result<toml::Table> {
    toml::Table::try_from(config).map_err(|e| text_error("this configuration", e))
}

pub(crate) fn text_error(origin: &str, error: impl ToString) -> ConfigError {
    ConfigError::Text { origin: origin.to_owned(), message: error.to_string() }
}

/// Puts one `section.key=value` into the table; the key must be there already.
fn set(table: &mut toml::Table, setting: &str) -> Result<()> {
    let Some((path, value)) = setting.split_once('=') else {
        return Err(ConfigError::value("--set", "KEY=VALUE, such as train.d_batch=32", setting));
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
                return Err(ConfigError::value(format!("--set {path}"), expected, *key));
            }
            Some(old) if last => {
                *old = parse(value, old);
                return Ok(());
            }
            Some(toml::Value::Table(next)) => here = next,
            Some(_) => {
                let expected = format!("{} to be the last part", keys[..=depth].join("."));
                return Err(ConfigError::value(format!("--set {path}"), expected, path));
            }
        }
    }
    Ok(())
}

fn section(keys: &[&str]) -> String {
    if keys.is_empty() { String::new() } else { format!("the keys of {}: ", keys.join(".")) }
}

/// Reads a value in TOML's notation, or a plain word where a word stood; whole numbers become fractions where one
/// stood.
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
