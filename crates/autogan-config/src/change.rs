//! This module finds where configurations differ, and checks which keys may change while a run goes on.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{ConfigError, Result};

/// Every value by its dotted key, such as `train.d_batch`.
pub type Flat = BTreeMap<String, toml::Value>;

/// The keys whose values are not the same in all of `configs`, each with its value in every one of them; `None` where a
/// configuration does not have the key.
pub fn differences(configs: &[Flat]) -> Vec<(String, Vec<Option<toml::Value>>)> {
    let keys: BTreeSet<&String> = configs.iter().flat_map(Flat::keys).collect();
    let values = |key: &String| configs.iter().map(|config| config.get(key).cloned()).collect();
    let all = keys.into_iter().map(|key| (key.clone(), values(key)));
    all.filter(|(_, values): &(_, Vec<_>)| values.windows(2).any(|two| two[0] != two[1])).collect()
}

/// Checks whether a run of `old` can go on with `next`, for [`Configuration::check_continues`](crate::Configuration).
pub(crate) fn check_continues(
    old: Flat,
    next: Flat,
    allowed: &[String],
    free: &[&str],
    fixed: &[&str],
) -> Result<()> {
    for key in allowed {
        if !old.keys().any(|known| is_in(known, key)) {
            let known: Vec<&str> = old.keys().map(String::as_str).collect();
            return Err(ConfigError::value("--may-change", known.join(", "), key));
        }
        if let Some(fixed) = fixed.iter().find(|fixed| is_in(key, fixed)) {
            let expected = format!("a key that can change while a run goes on, unlike {fixed}");
            return Err(ConfigError::value("--may-change", expected, key));
        }
    }
    let may = |key: &str| {
        let fixed = fixed.iter().any(|fixed| is_in(key, fixed));
        let free = free.iter().any(|free| is_in(key, free));
        free || (!fixed && allowed.iter().any(|allowed| is_in(key, allowed)))
    };
    let changed: Vec<String> = differences(&[old, next])
        .into_iter()
        .filter(|(key, _)| !may(key))
        .map(|(key, values)| {
            let [was, is] = [0, 1]
                .map(|run| values[run].as_ref().map_or("nothing".into(), toml::Value::to_string));
            format!("{key} (was {was}, is {is})")
        })
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    let expected = format!(
        "a run that goes on to change {} alone, or what --may-change KEY names (never {})",
        free.join(", "),
        fixed.join(", ")
    );
    Err(ConfigError::value("the run's configuration", expected, changed.join(", ")))
}

/// Every value by its dotted key.
pub(crate) fn flat(table: toml::Table) -> Flat {
    let mut all = Flat::new();
    for (section, value) in table {
        match value {
            toml::Value::Table(keys) => {
                let keys = keys.into_iter();
                all.extend(keys.map(|(key, value)| (format!("{section}.{key}"), value)));
            }
            value => drop(all.insert(section, value)),
        }
    }
    all
}

/// Whether `key` is `named`, or lies in the section of this name.
fn is_in(key: &str, named: &str) -> bool {
    key.strip_prefix(named).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
