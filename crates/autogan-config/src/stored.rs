//! The configuration in a run's directory, of either kind and of any version.

use crate::configuration::{Flat, text_error};
use crate::{Configuration, Result, SearchConfig, TrainingConfig};

/// The configuration of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum RunConfig {
    /// Of a search.
    Search(Box<SearchConfig>),
    /// Of a training from scratch.
    Training(Box<TrainingConfig>),
}

impl RunConfig {
    /// Reads the text of a run's `config.toml`, which `origin` names in messages. A run of an earlier version lacks the
    /// keys that came later; it gets what that version did ([`Configuration::ADDED`]).
    ///
    /// # Errors
    /// When the text is no configuration of a search or a training, or one of a later version.
    pub fn read(text: &str, origin: &str) -> Result<Self> {
        let table: toml::Table = text.parse().map_err(|e| text_error(origin, e))?;
        Ok(if table.contains_key("schedule") {
            Self::Training(Box::new(complete(table, origin)?))
        } else {
            Self::Search(Box::new(complete(table, origin)?))
        })
    }

    /// The configuration as TOML, as a run stores it.
    ///
    /// # Errors
    /// When a number cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        match self {
            Self::Search(config) => config.to_toml(),
            Self::Training(config) => config.to_toml(),
        }
    }

    /// Every value by its dotted key.
    ///
    /// # Errors
    /// When a number cannot be written as TOML.
    pub fn flat(&self) -> Result<Flat> {
        match self {
            Self::Search(config) => config.flat(),
            Self::Training(config) => config.flat(),
        }
    }
}

/// The configuration of a table in which keys may be missing that came later.
fn complete<C: Configuration>(mut table: toml::Table, origin: &str) -> Result<C> {
    let added: toml::Table = C::ADDED.parse().map_err(|e| text_error(origin, e))?;
    for (name, value) in added {
        match (table.get_mut(&name), value) {
            (Some(toml::Value::Table(section)), toml::Value::Table(keys)) => {
                for (key, value) in keys {
                    section.entry(key).or_insert(value);
                }
            }
            (Some(_), _) => (),
            (None, value) => drop(table.insert(name, value)),
        }
    }
    let typed: C = table.try_into().map_err(|e| text_error(origin, e))?;
    typed.checked()
}
