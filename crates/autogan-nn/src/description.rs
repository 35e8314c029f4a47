//! A [`Description`] keeps the architecture of a generator, and the rules that it was trained with, in the metadata of
//! its weight file.
//!
//! A file without a description, such as a `.pth` file of the released code, can only be read by somebody who knows both.

use std::str::FromStr;

use autogan_space::Arch;
use autogan_weights::Archive;

use crate::{NnError, PreOrder, Result, Rules, SkipTap};

/// The released vector, numbers separated by spaces.
const ARCH: &str = "autogan.arch";
/// The metadata key of the place where skips start.
const SKIP_TAP: &str = "autogan.skip_tap";
/// The metadata key of the place where pre-activation halves upsample.
const PRE_ORDER: &str = "autogan.pre_order";

/// Architecture and rules of a derived generator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The architecture.
    pub arch: Arch,
    /// The rules that it was trained with.
    pub rules: Rules,
}

impl Description {
    /// The entries as names and texts, for formats that have metadata of their own.
    pub fn entries(&self) -> [(&'static str, String); 3] {
        [
            (ARCH, self.arch.to_string()),
            (SKIP_TAP, self.rules.skip_tap.name().to_owned()),
            (PRE_ORDER, self.rules.pre_order.name().to_owned()),
        ]
    }

    /// Sets the entries in the archive's metadata.
    pub fn write_to(&self, archive: &mut Archive) {
        for (key, text) in self.entries() {
            archive.set_metadata(key, text);
        }
    }

    /// The description in the archive's metadata; `None` where there is none.
    ///
    /// # Errors
    /// When only a part of it is there, or an entry has an unknown value.
    pub fn read(archive: &Archive) -> Result<Option<Self>> {
        let metadata = archive.metadata();
        if ![ARCH, SKIP_TAP, PRE_ORDER].iter().any(|key| metadata.contains_key(*key)) {
            return Ok(None);
        }
        let text = |key: &'static str| {
            let text = metadata.get(key).map(String::as_str);
            text.ok_or_else(|| wrong(key, "an entry beside the other two".to_owned(), "none"))
        };
        let arch = text(ARCH)?;
        let arch = Arch::from_str(arch).map_err(|e| wrong(ARCH, e.to_string(), arch))?;
        let rules = Rules {
            skip_tap: one_of(SKIP_TAP, text(SKIP_TAP)?, &SkipTap::ALL, SkipTap::name)?,
            pre_order: one_of(PRE_ORDER, text(PRE_ORDER)?, &PreOrder::ALL, PreOrder::name)?,
        };
        Ok(Some(Self { arch, rules }))
    }
}

fn one_of<T: Copy>(
    key: &'static str,
    text: &str,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<T> {
    all.iter().copied().find(|&rule| name(rule) == text).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|&rule| name(rule)).collect();
        wrong(key, names.join(" or "), text)
    })
}

fn wrong(key: &'static str, expected: String, found: &str) -> NnError {
    NnError::Config { field: key, expected, found: found.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_description_comes_back() {
        for skip_tap in SkipTap::ALL {
            for pre_order in PreOrder::ALL {
                let rules = Rules { skip_tap, pre_order };
                let described = Description { arch: Arch::E2GAN.prefix(2), rules };
                let mut archive = Archive::new();
                described.write_to(&mut archive);
                assert_eq!(Description::read(&archive).unwrap(), Some(described));
            }
        }
        assert_eq!(Description::read(&Archive::new()).unwrap(), None);
    }

    #[test]
    fn parts_and_unknown_words_are_refused() {
        let mut archive = Archive::new();
        archive.set_metadata(SKIP_TAP, "after_add");
        let error = Description::read(&archive).unwrap_err().to_string();
        assert!(error.starts_with("autogan.arch: expected an entry"), "{error}");
        let described = Description { arch: Arch::AUTOGAN_B, rules: Rules::RELEASED };
        described.write_to(&mut archive);
        archive.set_metadata(SKIP_TAP, "later");
        let error = Description::read(&archive).unwrap_err().to_string();
        let expected = "autogan.skip_tap: expected before_add or after_add, found later";
        assert_eq!(error, expected);
        described.write_to(&mut archive);
        archive.set_metadata(ARCH, "1 0 1");
        assert!(Description::read(&archive).unwrap_err().to_string().contains("4, 9 or 14"));
    }
}
