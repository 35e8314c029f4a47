//! Nested dictionaries to flat names: tensors apart, numbers and texts as metadata.

use super::value::{Id, Pickled, TensorRef, Value};
use crate::error::{Fault, quote};
use crate::limits;
use std::collections::{BTreeMap, HashSet};

/// A checkpoint's entries under flat names.
#[derive(Debug, Default)]
pub(super) struct Flat {
    /// Tensors in the order of the file.
    pub tensors: Vec<(String, TensorRef)>,
    /// Numbers, booleans and texts.
    pub metadata: BTreeMap<String, String>,
    names: HashSet<String>,
    visited: usize,
    text: usize,
}

/// Flattens a pickle whose root is a dictionary; `at` is the pickle's offset, for errors.
pub(super) fn flatten(pickled: &Pickled, at: u64) -> Result<Flat, Fault> {
    let mut flat = Flat::default();
    match pickled.root() {
        Value::Dict(_) => flat.visit(pickled, pickled.root, "", 0, at)?,
        other => {
            return Err(Fault::new(
                at,
                "a dictionary of tensors at the top",
                format!("{}: save model.state_dict() or a dictionary of them", other.kind()),
            ));
        }
    }
    Ok(flat)
}

impl Flat {
    fn visit(
        &mut self,
        all: &Pickled,
        id: Id,
        name: &str,
        depth: usize,
        at: u64,
    ) -> Result<(), Fault> {
        self.visited += 1;
        self.text += name.len();
        if depth > limits::DEPTH || self.visited > limits::ENTRIES || self.text > limits::TEXT_BYTES
        {
            let (entries, deep, text) = (limits::ENTRIES, limits::DEPTH, limits::TEXT_BYTES);
            return Err(Fault::new(
                at,
                format!("at most {entries} entries, {deep} levels deep, {text} bytes of names"),
                format!("more, at {}", quote(name)),
            ));
        }
        match &all.values[id] {
            Value::Dict(entries) => {
                for (key, value) in entries {
                    let key = key_text(&all.values[*key], at)?;
                    self.visit(all, *value, &join(name, &key), depth + 1, at)?;
                }
                Ok(())
            }
            Value::List(items) | Value::Tuple(items) => {
                for (i, value) in items.iter().enumerate() {
                    self.visit(all, *value, &join(name, &i.to_string()), depth + 1, at)?;
                }
                Ok(())
            }
            Value::Tensor(tensor) => {
                self.claim(name, at)?;
                self.tensors.push((name.to_string(), tensor.clone()));
                Ok(())
            }
            Value::Bool(b) => self.note(name, b.to_string(), at),
            Value::Int(i) => self.note(name, i.to_string(), at),
            Value::Float(x) => self.note(name, format!("{x:?}"), at),
            Value::Text(text) => self.note(name, text.to_string(), at),
            Value::None
            | Value::Global(_)
            | Value::Storage(_)
            | Value::Bytes(_)
            | Value::Scalar(_) => Ok(()),
        }
    }

    fn note(&mut self, name: &str, value: String, at: u64) -> Result<(), Fault> {
        self.claim(name, at)?;
        self.text += value.len();
        self.metadata.insert(name.to_string(), value);
        Ok(())
    }

    /// A name may be used once; Python's dictionaries could not hold it twice either.
    fn claim(&mut self, name: &str, at: u64) -> Result<(), Fault> {
        if self.names.insert(name.to_string()) {
            return Ok(());
        }
        Err(Fault::new(at, "each flattened name once", format!("{} a second time", quote(name))))
    }
}

fn key_text(key: &Value, at: u64) -> Result<String, Fault> {
    match key {
        Value::Text(text) => Ok(text.to_string()),
        Value::Int(i) => Ok(i.to_string()),
        other => Err(Fault::new(at, "a string or an integer as a dictionary's key", other.kind())),
    }
}

fn join(name: &str, key: &str) -> String {
    if name.is_empty() { key.to_string() } else { format!("{name}.{key}") }
}
