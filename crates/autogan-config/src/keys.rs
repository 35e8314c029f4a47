//! A [`Key`] holds what is said of a key in the one place where it is defined: its meaning, its values and its unit.
//! The structs, their checks and `docs/configuration.md` are made from it.

use crate::error::{ConfigError, Result};

/// A key of a configuration, or a section of keys.
#[derive(Debug)]
pub struct Key {
    /// Its name in its section.
    pub name: &'static str,
    /// The doc comment of the field.
    pub meaning: &'static str,
    /// What it may be.
    pub values: Values,
    /// The unit of a number; empty without one.
    pub unit: &'static str,
}

/// What a key may be.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// A section.
    Section(&'static [Key]),
    /// A number, or an array of numbers: in words, and whether one is allowed.
    Number(&'static str, fn(f64) -> bool),
    /// `true` or `false`.
    Flag,
    /// A word of this list, each with its meaning.
    Choice(&'static [(&'static str, &'static str)]),
    /// Anything else, in words.
    Other(&'static str),
}

/// 0 or more.
pub(crate) const ANY: Values = Values::Number("0 or more", |v| v >= 0.0 && v.is_finite());
/// 1 or more.
pub(crate) const SOME: Values = Values::Number("1 or more", |v| v >= 1.0);
/// 2 or more.
pub(crate) const TWO: Values = Values::Number("2 or more", |v| v >= 2.0);
/// Above 0.
pub(crate) const ABOVE_0: Values = Values::Number("a number above 0", |v| v > 0.0 && v.is_finite());
/// From 0 to below 1.
pub(crate) const SHARE: Values = Values::Number("a number in [0, 1)", |v| (0.0..1.0).contains(&v));

impl Values {
    /// The keys of a section; none of anything else.
    pub const fn keys(&self) -> &'static [Key] {
        match self {
            Values::Section(keys) => keys,
            _ => &[],
        }
    }

    /// Checks the numbers in `value`, found at the dotted `key`. It fails when one is out of its range; the message
    /// names its key.
    pub(crate) fn check(&self, key: &str, value: &toml::Value) -> Result<()> {
        match (self, value) {
            (Values::Section(keys), toml::Value::Table(table)) => keys.iter().try_for_each(|at| {
                let path =
                    if key.is_empty() { at.name.into() } else { format!("{key}.{}", at.name) };
                table.get(at.name).map_or(Ok(()), |value| at.values.check(&path, value))
            }),
            (_, toml::Value::Array(values)) => {
                values.iter().try_for_each(|value| self.check(key, value))
            }
            (Values::Number(expected, allows), toml::Value::Integer(_) | toml::Value::Float(_)) => {
                let number = value.as_float().or(value.as_integer().map(|whole| whole as f64));
                match number.is_some_and(allows) {
                    true => Ok(()),
                    false => Err(ConfigError::value(key, *expected, value)),
                }
            }
            _ => Ok(()),
        }
    }
}

/// Defines a section: a struct whose fields are keys, each with its meaning, its [`Values`], and the unit of a number.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $section:ident {
            $($(#[doc = $doc:literal])+ $key:ident: $kind:ty, $values:expr $(, $unit:literal)?;)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $section {
            $($(#[doc = $doc])+ pub $key: $kind,)+
        }

        impl $section {
            /// Its keys.
            pub(crate) const SECTION: $crate::keys::Values = $crate::keys::Values::Section(&[$(
                $crate::keys::Key {
                    name: stringify!($key),
                    meaning: concat!($($doc),+),
                    values: $values,
                    unit: concat!($($unit)?),
                },
            )+]);
        }
    };
}

/// Defines a choice: an enum whose variants have a word in configurations.
macro_rules! choice {
    (
        $(#[doc = $about:literal])+
        $choice:ident { $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+ }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $choice {
            $($(#[doc = $doc])+ #[serde(rename = $word)] $variant,)+
        }

        impl $choice {
            /// Every choice.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];
            /// Every choice as the value of a key.
            pub(crate) const VALUES: $crate::keys::Values =
                $crate::keys::Values::Choice(&[$(($word, concat!($($doc),+))),+]);

            /// Its word in configurations.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

pub(crate) use {choice, section};
