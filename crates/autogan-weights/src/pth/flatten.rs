//! Nested dictionaries to flat names: tensors, numbers and texts, and what is neither.

use super::value::{Found, TensorRef, tensor};
use crate::limits;
use autogan_files::pickle::{Id, Number, Pickle, Value};
use autogan_files::{Fault, quote};
use std::collections::{BTreeMap, HashMap};

/// A checkpoint's entries under flat names.
#[derive(Debug, Default)]
pub(super) struct Flat {
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
pub(super) fn flatten(pickle: &Pickle<'_>) -> Result<Flat, Fault> {
    let root = pickle.root();
    if pickle.entries(root)?.is_none() {
        let found = format!(
            "{}; nothing in this file is executed: save model.state_dict() or a dictionary of them",
            pickle.kind(root)
        );
        return Err(pickle.unlike(root, "a dictionary of tensors at the top", found));
    }
    let mut flat = Flat::default();
    flat.visit(pickle, root, "", 0)?;
    Ok(flat)
}

impl Flat {
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
        match tensor(all, id)? {
            Found::Tensor(tensor) => {
                self.tensors.push((name.to_string(), tensor));
                return self.claim(all, id, name, true);
            }
            Found::Unread(what) => return self.set_aside(all, id, name, what),
            Found::Other => {}
        }
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
        let text = match (all.number(id), all.value(id)) {
            (Some(number), _) => number_text(number),
            (None, Value::None) => return Ok(()),
            (None, _) => match all.text(id) {
                Some(text) => text.into_owned(),
                None => return self.set_aside(all, id, name, all.kind(id)),
            },
        };
        self.text += text.len();
        self.metadata.insert(name.to_string(), text);
        self.claim(all, id, name, false)
    }

    fn set_aside(
        &mut self,
        all: &Pickle<'_>,
        id: Id,
        name: &str,
        what: String,
    ) -> Result<(), Fault> {
        self.text += what.len();
        self.opaque.insert(name.to_string(), what);
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
