//! [`RunConfig`] reads the configuration in a run's directory, of either kind and of any version.

use crate::change::Flat;
use crate::configuration::text_error;
use crate::{Configuration, Result, SearchConfig, TrainingConfig};

/// The configuration of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum RunConfig {
    /// The configuration of a search.
    Search(Box<SearchConfig>),
    /// The configuration of a training from scratch.
    Training(Box<TrainingConfig>),
}

impl RunConfig {
    /// Reads the text of a run's `config.toml`, which `origin` names in messages. A run of an earlier version lacks the
    /// keys that came later; it gets what that version did: [`Configuration::stored`].
    ///
    /// # Errors
    /// When the text is no configuration of a search or a training, or one of a later version.
    pub fn read(text: &str, origin: &str) -> Result<Self> {
        let table: toml::Table =
            text.parse().map_err(|e: toml::de::Error| text_error(origin, e.message()))?;
        Ok(if table.contains_key("schedule") {
            Self::Training(Box::new(TrainingConfig::stored(text, origin)?))
        } else {
            Self::Search(Box::new(SearchConfig::stored(text, origin)?))
        })
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
