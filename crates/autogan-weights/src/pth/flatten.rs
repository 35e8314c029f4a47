//! This module turns nested dictionaries into flat names: tensors, numbers and texts, and what is neither.

use super::value::{TensorRef, ValueKind, tensor};
use crate::limits;
use autogan_files::pickle::{Id, Number, Pickle, Value};
use autogan_files::{Fault, quote};
use std::collections::{BTreeMap, HashMap};

/// A checkpoint's entries under flat names.
#[derive(Debug, Default)]
pub(super) struct FlatEntries {
    /// Tensors in the order of the file.
    pub tensors: Vec<(String, TensorRef)>,
    /// Numbers, booleans and texts.
    pub metadata: BTreeMap<String, String>,
    /// What is neither, in words.
    pub opaque: BTreeMap<String, String>,
    /// Names in use, and whether each is a tensor's.
    names: HashMap<String, bool>,
    visited: usize,
    text: usize,
}

/// Flattens a pickle whose root is a dictionary.
pub(super) fn flatten(pickle: &Pickle<'_>) -> Result<FlatEntries, Fault> {
    let root = pickle.root();
    if pickle.entries(root)?.is_none() {
        let found = format!(
            "{}; nothing in this file is executed: save model.state_dict() or a dictionary of them",
            pickle.kind(root)
        );
        return Err(pickle.unlike(root, "a dictionary of tensors at the top", found));
    }
    let mut flat = FlatEntries::default();
    flat.visit(pickle, root, "", 0)?;
    Ok(flat)
}

impl FlatEntries {
    fn visit(&mut self, all: &Pickle<'_>, id: Id, name: &str, depth: usize) -> Result<(), Fault> {
        self.visited += 1;
        self.text += name.len();
        if depth > limits::DEPTH || self.visited > limits::ENTRIES || self.text > limits::TEXT_BYTES
        {
            let (entries, deep, text) = (limits::ENTRIES, limits::DEPTH, limits::TEXT_BYTES);
            return Err(all.unlike(
                id,
                format!("at most {entries} entries, {deep} levels deep, {text} bytes of names"),
                format!("more, at {}", quote(name)),
            ));
        }
        let (text, opaque) = match tensor(all, id)? {
            ValueKind::Tensor(tensor) => {
                self.tensors.push((name.to_string(), tensor));
                return self.claim(all, id, name, true);
            }
            ValueKind::Unread(what) => (what, true),
            ValueKind::Other => {
                if let Some(entries) = all.entries(id)? {
                    for &(key, value) in entries.iter() {
                        self.visit(all, value, &join(name, &key_text(all, key, 0)), depth + 1)?;
                    }
                    return Ok(());
                }
                if let Some(items) = all.items(id) {
                    for (i, &value) in items.iter().enumerate() {
                        self.visit(all, value, &join(name, &i.to_string()), depth + 1)?;
                    }
                    return Ok(());
                }
                match (all.number(id), all.value(id), all.text(id)) {
                    (Some(number), ..) => (number_text(number), false),
                    (_, Value::None, _) => return Ok(()),
                    (_, _, Some(text)) => (text.into_owned(), false),
                    (_, _, None) => (all.kind(id), true),
                }
            }
        };
        self.text += text.len();
        let texts = if opaque { &mut self.opaque } else { &mut self.metadata };
        texts.insert(name.to_string(), text);
        self.claim(all, id, name, false)
    }

    /// A tensor's name may be used once. Other names may clash where keys of a dictionary look
    /// alike as texts, such as `1` and `"1"`; the last counts.
    fn claim(&mut self, all: &Pickle<'_>, id: Id, name: &str, tensor: bool) -> Result<(), Fault> {
        match self.names.insert(name.to_string(), tensor) {
            Some(before) if before || tensor => Err(all.unlike(
                id,
                "each flattened name of a tensor once",
                format!("{} a second time", quote(name)),
            )),
            _ => Ok(()),
        }
    }
}

/// A dictionary's key as a part of a name, spelt as Python prints it.
fn key_text(all: &Pickle<'_>, key: Id, depth: usize) -> String {
    if let Some(text) = all.text(key) {
        return if depth == 0 { text.into_owned() } else { quote(&text) };
    }
    match (all.number(key), all.value(key)) {
        (Some(number), _) => number_text(number),
        (None, Value::Tuple(items)) if depth < 2 && items.len() <= 8 => {
            let items: Vec<String> =
                items.iter().map(|&item| key_text(all, item, depth + 1)).collect();
            format!("({})", items.join(", "))
        }
        _ => all.kind(key),
    }
}

fn number_text(number: Number) -> String {
    match number {
        Number::Bool(b) => b.to_string(),
        Number::Int(i) => i.to_string(),
        Number::Float(x) => format!("{x:?}"),
    }
}

fn join(name: &str, key: &str) -> String {
    if name.is_empty() { key.to_string() } else { format!("{name}.{key}") }
}
