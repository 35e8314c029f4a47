//! Which keys of a configuration may change while a run goes on.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::{Result, SearchError};

/// Whether a run of `old` can go on with `next`, where the keys and sections in `free` may differ, those in `fixed` never,
/// and others when `allowed` names them.
pub(crate) fn check_continues<C: Serialize>(
    old: &C,
    next: &C,
    allowed: &[String],
    free: &[&str],
    fixed: &[&str],
) -> Result<()> {
    let (old, new) = (flat(old)?, flat(next)?);
    for key in allowed {
        if !old.keys().any(|known| is_in(known, key)) {
            let known: Vec<&str> = old.keys().map(String::as_str).collect();
            return Err(SearchError::config("--may-change", known.join(", "), key));
        }
        if let Some(fixed) = fixed.iter().find(|fixed| is_in(key, fixed)) {
            let expected = format!("a key that can change while a run goes on, unlike {fixed}");
            return Err(SearchError::config("--may-change", expected, key));
        }
    }
    let may = |key: &str| {
        let fixed = fixed.iter().any(|fixed| is_in(key, fixed));
        let free = free.iter().any(|free| is_in(key, free));
        free || (!fixed && allowed.iter().any(|allowed| is_in(key, allowed)))
    };
    let changed: Vec<String> = old
        .iter()
        .filter(|(key, value)| new.get(*key) != Some(value) && !may(key))
        .map(|(key, value)| {
            let now = new.get(key).map_or("nothing".into(), toml::Value::to_string);
            format!("{key} (was {value}, is {now})")
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
    Err(SearchError::config("the run's configuration", expected, changed.join(", ")))
}

/// Every value by its dotted key.
fn flat(config: &impl Serialize) -> Result<BTreeMap<String, toml::Value>> {
    let table = toml::Table::try_from(config).map_err(|e| SearchError::ConfigText {
        origin: "this configuration".into(),
        message: e.to_string(),
    })?;
    let mut all = BTreeMap::new();
    for (section, value) in table {
        match value {
            toml::Value::Table(keys) => {
                all.extend(
                    keys.into_iter().map(|(key, value)| (format!("{section}.{key}"), value)),
                );
            }
            value => drop(all.insert(section, value)),
        }
    }
    Ok(all)
}

/// Whether `key` is `named`, or lies in the section of this name.
fn is_in(key: &str, named: &str) -> bool {
    key.strip_prefix(named).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
