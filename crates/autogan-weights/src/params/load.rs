//! This module loads strictly: every tensor of the network must be offered in its shape, and no other tensor may be.
//!
//! On an error nothing is changed, and the error names every tensor that is missing, unexpected or of another shape.
//! Only counters may be missing, since older files have none.

use std::collections::BTreeSet;

use candle_core::{Error as CandleError, Tensor, Var};
use candle_nn::VarBuilder;

use super::{Params, Role, assign};
use crate::{Archive, Error, Result};

/// A tensor that is offered to a network: its name there, its name where it comes from, and its value.
type Offer<'a> = (String, &'a str, &'a Tensor);

/// What one call of loading has found so far.
#[derive(Default)]
struct Loading<'a> {
    /// Name, variable and value of what fits.
    values: Vec<(&'a str, &'a Var, Tensor)>,
    missing: Vec<String>,
    unexpected: Vec<String>,
    wrong_shape: Vec<String>,
}

impl Loading<'_> {
    /// Sets all variables, or none of them.
    fn finish(self) -> Result<()> {
        let Self { values, missing, unexpected, wrong_shape } = self;
        if !(missing.is_empty() && unexpected.is_empty() && wrong_shape.is_empty()) {
            return Err(Error::Mismatch { missing, unexpected, wrong_shape });
        }
        let mut converted = Vec::with_capacity(values.len());
        for (name, var, value) in values {
            // A copy, as the value may share the variable's own memory.
            let value = value.detach().to_dtype(var.dtype()).and_then(|v| v.copy());
            let value = value.and_then(|v| v.to_device(var.device()));
            converted.push((name, var, value.map_err(|e| Error::tensor(name, e))?));
        }
        for (name, var, value) in converted {
            assign(var, &value).map_err(|source| Error::tensor(name, source))?;
        }
        Ok(())
    }
}

impl Params {
    /// Sets every tensor from the tensors of `archive` whose names start with `prefix` (`""`, or ending in `.`).
    ///
    /// # Errors
    /// [`Error::Mismatch`], which names all tensors that are missing, unexpected or of another shape; nothing is changed
    /// then.
    pub fn load(&self, archive: &Archive, prefix: &str) -> Result<()> {
        self.load_renamed(archive, prefix, str::to_owned, str::to_owned)
    }

    /// [`Params::load`] for an archive that names its tensors in another way. `ours` makes our name of one of the
    /// archive's (without the prefix), and `theirs` makes the archive's of ours, for the names of what is missing.
    ///
    /// # Errors
    /// As [`Params::load`].
    pub fn load_renamed(
        &self,
        archive: &Archive,
        prefix: &str,
        ours: impl Fn(&str) -> String,
        theirs: impl Fn(&str) -> String,
    ) -> Result<()> {
        let offers = archive.iter().filter_map(|(source, tensor)| {
            Some((ours(source.strip_prefix(prefix)?), source, tensor))
        });
        self.fill(offers, |name| {
            let name = format!("{prefix}{}", theirs(name));
            match archive.opaque().get(&name) {
                Some(what) => format!("{name} (there it is {what})"),
                None => name,
            }
        })
    }

    /// Sets every tensor from named tensors, such as those of [`Params::state`].
    ///
    /// # Errors
    /// As [`Params::load`].
    pub fn load_state(&self, state: &[(String, Tensor)]) -> Result<()> {
        let offers = state.iter().map(|(name, tensor)| (name.clone(), name.as_str(), tensor));
        self.fill(offers, str::to_owned)
    }

    /// Sets every tensor from the tensor of the same name in `source`, which may hold more.
    ///
    /// # Errors
    /// As [`Params::load`], but nothing is unexpected.
    pub fn copy_from(&self, source: &Params) -> Result<()> {
        let own = source.all().into_iter().filter(|(name, _)| self.get(name).is_some());
        let offers = own.map(|(name, var)| (name.to_owned(), name, var.as_tensor()));
        self.fill(offers, str::to_owned)
    }

    /// Sets every tensor from `vb`, which is asked for the name that `rename` makes of ours. The values are copied.
    ///
    /// # Errors
    /// As [`Params::load`], but nothing is unexpected, as a `VarBuilder` does not list what it holds.
    pub fn load_var_builder(
        &self,
        vb: &VarBuilder<'_>,
        rename: impl Fn(&str) -> String,
    ) -> Result<()> {
        let prefix = vb.prefix();
        let full = |name: &str| {
            if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
        };
        let mut loading = Loading::default();
        for (own, entry) in &self.entries {
            let (var, theirs) = (&entry.var, rename(own));
            if !vb.contains_tensor(&theirs) {
                if entry.role != Role::Counter {
                    loading.missing.push(full(&theirs));
                }
                continue;
            }
            let hints = candle_nn::Init::default();
            let found = vb.get_with_hints_dtype(var.shape(), &theirs, hints, var.dtype());
            match found.map_err(without_backtrace) {
                Ok(value) => loading.values.push((own, var, value)),
                Err(CandleError::UnexpectedShape { expected, got, .. }) => {
                    let text = wrong_shape(&full(&theirs), expected.dims(), got.dims());
                    loading.wrong_shape.push(text);
                }
                Err(source) => return Err(Error::tensor(&full(&theirs), source)),
            }
        }
        loading.finish()
    }

    /// Sets every tensor from `offers`; `theirs` is the name that a missing tensor would have had among them.
    fn fill<'a>(
        &self,
        offers: impl Iterator<Item = Offer<'a>>,
        theirs: impl Fn(&str) -> String,
    ) -> Result<()> {
        let mut loading = Loading::default();
        let mut met = BTreeSet::new();
        for (name, source, tensor) in offers {
            let Some((own, entry)) = self.entries.get_key_value(&name) else {
                loading.unexpected.push(source.to_owned());
                continue;
            };
            if !met.insert(own.as_str()) {
                // Under two names at once.
                loading.unexpected.push(source.to_owned());
            } else if entry.var.dims() != tensor.dims() {
                let (expected, found) = (entry.var.dims(), tensor.dims());
                loading.wrong_shape.push(wrong_shape(source, expected, found));
            } else {
                loading.values.push((own, &entry.var, tensor.clone()));
            }
        }
        let lacking = self
            .entries
            .iter()
            .filter(|(name, e)| e.role != Role::Counter && !met.contains(name.as_str()));
        loading.missing = lacking.map(|(name, _)| theirs(name)).collect();
        loading.finish()
    }
}

/// The words for a tensor of another shape.
fn wrong_shape(name: &str, expected: &[usize], found: &[usize]) -> String {
    format!("{name}: expected {expected:?}, found {found:?}")
}

/// The error itself; candle wraps it where `RUST_BACKTRACE` is set.
fn without_backtrace(error: CandleError) -> CandleError {
    match error {
        CandleError::WithBacktrace { inner, .. } => without_backtrace(*inner),
        error => error,
    }
}
