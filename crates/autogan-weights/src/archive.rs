//! An [`Archive`] holds named tensors in a fixed order, with text metadata, whatever file they came from.

use crate::error::{Error, Result};
use candle_core::Tensor;
use indexmap::IndexMap;
use std::collections::{BTreeMap, HashMap, HashSet};

/// An ordered map from name to tensor, with metadata (text by name) beside it.
///
/// Names keep the order in which they were inserted or stored in the file. Tensors are on the CPU
/// when they were read from a file. Nested dictionaries of a `.pth` file are flattened with `.`.
#[derive(Debug, Clone, Default)]
pub struct Archive {
    tensors: IndexMap<String, Tensor>,
    metadata: BTreeMap<String, String>,
    opaque: BTreeMap<String, String>,
}

impl Archive {
    /// An archive without tensors.
    #[must_use]
    pub fn new() -> Self {
        Archive::default()
    }

    /// Adds a tensor of any shape at the end, or replaces the one of this name in its place.
    /// Returns the tensor that was replaced.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) -> Option<Tensor> {
        self.tensors.insert(name.into(), tensor)
    }

    /// The tensor of this name, if there is one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// The tensor of this name.
    ///
    /// # Errors
    /// [`Error::NotATensor`] where something else has this name, otherwise [`Error::MissingTensor`], which also
    /// suggests a name with the same ending.
    pub fn require(&self, name: &str) -> Result<&Tensor> {
        if let Some(tensor) = self.get(name) {
            return Ok(tensor);
        }
        if let Some(what) = self.opaque.get(name) {
            return Err(Error::NotATensor { name: name.to_string(), what: what.clone() });
        }
        Err(Error::missing_tensor(name, self.len(), self.names()))
    }

    /// Takes a tensor out; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Tensor> {
        self.tensors.shift_remove(name)
    }

    /// Names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Names and tensors in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, t)| (name.as_str(), t))
    }

    /// Number of tensors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is no tensor (there may be metadata).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Metadata by name, in the order of the names.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Sets one metadata entry; returns the text that it replaces.
    pub fn set_metadata(
        &mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Option<String> {
        self.metadata.insert(name.into(), value.into())
    }

    /// What lay beside the tensors of a `.pth` file and is neither tensor, number nor text: in words, by name. Nothing
    /// of it was executed, and no file that is written holds it.
    #[must_use]
    pub fn opaque(&self) -> &BTreeMap<String, String> {
        &self.opaque
    }

    pub(crate) fn set_opaque(&mut self, opaque: BTreeMap<String, String>) {
        self.opaque = opaque;
    }

    /// The entries whose names start with `dictionary.`, under the rest of their names.
    ///
    /// `None` when no tensor has such a name. `sub("module")` also strips the prefix that
    /// PyTorch's `DataParallel` leaves on every name.
    #[must_use]
    pub fn sub(&self, dictionary: &str) -> Option<Archive> {
        let prefix = format!("{dictionary}.");
        let sub = self.renamed(|name| name.strip_prefix(&prefix).map(str::to_string));
        (!sub.is_empty()).then_some(sub)
    }

    /// The entries under the names that `rename` makes of theirs; those for which it makes none are left out.
    fn renamed(&self, rename: impl Fn(&str) -> Option<String>) -> Archive {
        let texts = |of: &BTreeMap<String, String>| {
            of.iter().filter_map(|(name, text)| Some((rename(name)?, text.clone()))).collect()
        };
        Archive {
            tensors: self.iter().filter_map(|(name, t)| Some((rename(name)?, t.clone()))).collect(),
            metadata: texts(&self.metadata),
            opaque: texts(&self.opaque),
        }
    }

    /// The same tensors without the prefixes that PyTorch's wrappers put on names: `module.` (`DataParallel`,
    /// `DistributedDataParallel`, averaged models) and `_orig_mod.` (`torch.compile`), alone and stacked, at the top and
    /// in sub-dictionaries.
    ///
    /// Only a part of a name that every tensor beside it shares is such a prefix; the count `n_averaged`, which averaged
    /// models keep beside it, does not matter.
    #[must_use]
    pub fn unwrapped(&self) -> Archive {
        // Paths of the dictionaries that hold something else than one wrapped network.
        let mut others = HashSet::new();
        let mut wrappers = HashMap::new();
        for (path, part) in self.names().flat_map(parts) {
            let alone = match part {
                "module." | "_orig_mod." => *wrappers.entry(path).or_insert(part) == part,
                other => other == "n_averaged",
            };
            if !alone {
                others.insert(path);
            }
        }
        let stays = |(path, part): &(&str, &str)| {
            !matches!(*part, "module." | "_orig_mod.") || others.contains(path)
        };
        self.renamed(|name| Some(parts(name).filter(stays).map(|(_, part)| part).collect()))
    }

    /// The first of several sub-dictionaries that is there, such as `avg_gen_state_dict`, then
    /// `gen_state_dict` of a released AutoGAN checkpoint.
    ///
    /// # Errors
    /// [`Error::MissingDictionary`] with what the top level holds instead.
    pub fn pick(&self, dictionaries: &[&str]) -> Result<Archive> {
        dictionaries.iter().find_map(|name| self.sub(name)).ok_or_else(|| {
            Error::MissingDictionary {
                wanted: quoted(dictionaries.iter().copied()),
                present: quoted(self.top_level().into_iter()),
            }
        })
    }

    /// The different first parts of the names (up to the first `.`), in the order of the names.
    #[must_use]
    pub fn top_level(&self) -> Vec<&str> {
        let mut parts: Vec<&str> = Vec::new();
        for name in self.names() {
            let part = name.split('.').next().unwrap_or(name);
            if parts.last() != Some(&part) && !parts.contains(&part) {
                parts.push(part);
            }
        }
        parts
    }
}

/// The parts of a name, each with the `.` behind it and beside the path that leads to it.
fn parts(name: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut at = 0;
    name.split_inclusive('.').map(move |part| {
        let path = &name[..at];
        at += part.len();
        (path, part)
    })
}

/// At most eight names in backquotes.
fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let mut shown: Vec<String> = names.iter().take(8).map(|n| format!("`{n}`")).collect();
    if names.len() > shown.len() {
        shown.push(format!("and {} more", names.len() - shown.len()));
    }
    if shown.is_empty() {
        return "nothing".to_string();
    }
    shown.join(", ")
}

impl FromIterator<(String, Tensor)> for Archive {
    fn from_iter<I: IntoIterator<Item = (String, Tensor)>>(entries: I) -> Self {
        Archive { tensors: entries.into_iter().collect(), ..Archive::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn archive(names: &[&str]) -> Archive {
        let one = Tensor::ones(1, candle_core::DType::F32, &Device::Cpu).unwrap();
        names.iter().map(|n| (n.to_string(), one.clone())).collect()
    }

    #[test]
    fn sub_dictionaries_lose_their_prefix_and_keep_their_order() {
        let mut all = archive(&["gen_state_dict.z", "gen_state_dict.a.b", "gen_state_dictx.c"]);
        all.set_metadata("gen_state_dict.step", "3");
        all.set_metadata("epoch", "7");
        let sub = all.sub("gen_state_dict").unwrap();
        assert_eq!(sub.names().collect::<Vec<_>>(), ["z", "a.b"]);
        assert_eq!(sub.metadata().len(), 1);
        assert_eq!(sub.metadata()["step"], "3");
        assert!(all.sub("gen").is_none());
    }

    #[test]
    fn only_prefixes_that_all_share_are_stripped() {
        let stripped = |names: &[&str]| {
            archive(names).unwrapped().names().map(str::to_string).collect::<Vec<_>>()
        };
        assert_eq!(stripped(&["module.a.w", "module.b"]), ["a.w", "b"]);
        assert_eq!(stripped(&["_orig_mod.module.a", "_orig_mod.module.b"]), ["a", "b"]);
        assert_eq!(stripped(&["gen.module.a", "dis.a"]), ["gen.a", "dis.a"]);
        assert_eq!(stripped(&["module.a", "other.b"]), ["module.a", "other.b"]);
        assert_eq!(stripped(&["module.a", "_orig_mod.a"]), ["module.a", "_orig_mod.a"]);
        assert_eq!(stripped(&["a.module", "a.b"]), ["a.module", "a.b"]);
        assert_eq!(stripped(&["module", "_orig_mod"]), ["module", "_orig_mod"]);
    }

    #[test]
    fn the_first_dictionary_that_exists_is_picked() {
        let all = archive(&["gen.a", "avg.a", "avg.b"]);
        assert_eq!(all.pick(&["avg", "gen"]).unwrap().len(), 2);
        assert_eq!(all.pick(&["nothing", "gen"]).unwrap().len(), 1);
        let error = all.pick(&["x", "y"]).unwrap_err().to_string();
        assert!(error.contains("`x`, `y`") && error.contains("`gen`, `avg`"), "{error}");
    }

    #[test]
    fn a_missing_name_suggests_a_near_one() {
        let error = archive(&["module.l1.weight"]).require("l1.weight").unwrap_err();
        assert!(error.to_string().contains("did you mean `module.l1.weight`"));
        let error = archive(&[]).require("x").unwrap_err().to_string();
        assert!(error.contains("`x` among 0;"), "{error}");
    }
}
