//! This module tells what the values of a pickle mean: texts, bytes, lists, dictionaries, and calls by name.

use std::borrow::Cow;

use super::{Id, Pickle, Value};
use crate::Fault;

/// Most wrappers around a value that are looked through, such as `set(list(…))`.
const HOPS: usize = 8;

/// Most bytes that are looked at as a text.
const TEXT_BYTES: usize = 1 << 16;

/// The entries of a dictionary: keys and values.
pub type Entries<'p> = Cow<'p, [(Id, Id)]>;

/// A call that was not made, by name.
#[derive(Debug, Clone, Copy)]
pub struct NamedCall<'p> {
    /// Module of what was to be called.
    pub module: &'p str,
    /// Its name in the module.
    pub name: &'p str,
    /// The arguments.
    pub arguments: &'p [Id],
    /// The state that the result was to be given.
    pub state: Option<Id>,
}

impl NamedCall<'_> {
    /// Whether it is a call of one of `names` in `module`; `builtins` is also Python 2's
    /// `__builtin__`, and `numpy._core` older versions' `numpy.core`.
    #[must_use]
    pub fn is(&self, module: &str, names: &[&str]) -> bool {
        let older = match module.strip_prefix("numpy._core") {
            Some(rest) => self.module.strip_prefix("numpy.core") == Some(rest),
            None => module == "builtins" && self.module == "__builtin__",
        };
        (self.module == module || older) && names.contains(&self.name)
    }
}

impl<'a> Pickle<'a> {
    /// Module and name of a class or function.
    #[must_use]
    pub fn global(&self, id: Id) -> Option<(&str, &str)> {
        let Value::Global { module, name } = self.value(id) else { return None };
        match (self.value(*module), self.value(*name)) {
            (Value::Text(module), Value::Text(name)) => Some((module, name)),
            _ => None,
        }
    }

    /// The call that was to make this value. The helpers through which older protocols make an
    /// object are looked through to the object's class.
    #[must_use]
    pub fn called(&self, id: Id) -> Option<NamedCall<'_>> {
        let Value::Call(call) = self.value(id) else { return None };
        let Value::Tuple(arguments) = self.value(call.arguments) else { return None };
        let (module, name) = self.global(call.callee)?;
        let called = NamedCall { module, name, arguments, state: call.state };
        let helps = matches!(module, "copyreg" | "copy_reg")
            && matches!(name, "_reconstructor" | "__newobj__");
        match arguments.split_first() {
            Some((class, arguments)) if helps => {
                let (module, name) = self.global(*class)?;
                Some(NamedCall { module, name, arguments, state: call.state })
            }
            _ => Some(called),
        }
    }

    /// A text, or bytes that are one (Python 2's strings, and keys such as `b"labels"`).
    #[must_use]
    pub fn text(&self, id: Id) -> Option<Cow<'_, str>> {
        if let Value::Text(text) = self.value(id) {
            return Some(Cow::Borrowed(text));
        }
        match self.bytes_within(id, TEXT_BYTES)? {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        }
    }

    /// Bytes, also as older protocols write them: `_codecs.encode(text, "latin1")`.
    #[must_use]
    pub fn bytes(&self, id: Id) -> Option<Cow<'_, [u8]>> {
        self.bytes_within(id, usize::MAX)
    }

    /// Returns [`Pickle::bytes`] if they are at most `limit` bytes.
    pub(super) fn bytes_within(&self, mut id: Id, limit: usize) -> Option<Cow<'_, [u8]>> {
        for _ in 0..HOPS {
            if let Value::Bytes(bytes) = self.value(id) {
                return (bytes.len() <= limit).then_some(Cow::Borrowed(&**bytes));
            }
            let called = self.called(id)?;
            let built_in = called.is("builtins", &["bytes", "bytearray"]);
            match *called.arguments {
                [] if built_in => return Some(Cow::Borrowed(&[])),
                [inner] if built_in => id = inner,
                [text, codec] if built_in || called.is("_codecs", &["encode"]) => {
                    return self.latin1(text, codec, limit);
                }
                _ => return None,
            }
        }
        None
    }

    /// Returns one byte for each character of a text.
    fn latin1(&self, text: Id, codec: Id, limit: usize) -> Option<Cow<'_, [u8]>> {
        let (Value::Text(text), Value::Text(codec)) = (self.value(text), self.value(codec)) else {
            return None;
        };
        // A character of Latin-1 has at most two bytes here.
        if !matches!(&**codec, "latin1" | "latin-1") || text.len() / 2 > limit {
            return None;
        }
        let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        bytes.filter(|bytes| bytes.len() <= limit).map(Cow::Owned)
    }

    /// The items of a list, tuple or set, or of a call that makes one.
    #[must_use]
    pub fn items(&self, mut id: Id) -> Option<&[Id]> {
        for _ in 0..HOPS {
            match self.value(id) {
                Value::List(items) | Value::Tuple(items) | Value::Set(items) => return Some(items),
                Value::Call(call) if !call.items.is_empty() => return Some(&call.items),
                _ => {}
            }
            let called = self.called(id)?;
            let known = called.is("builtins", &["set", "frozenset", "list", "tuple"])
                || called.is("collections", &["deque"])
                || called.is("torch", &["Size"]);
            match called.arguments.first() {
                Some(&inner) if known => id = inner,
                None if known => return Some(&[]),
                _ => return None,
            }
        }
        None
    }

    /// The entries of a dictionary, or of a call that makes one: a dictionary of Python's
    /// libraries, or any object that is filled like one.
    ///
    /// # Errors
    /// When a list that such a call is made from holds something else than pairs.
    pub fn entries(&self, id: Id) -> Result<Option<Entries<'_>>, Fault> {
        let filled: &[(Id, Id)] = match self.value(id) {
            Value::Dict(entries) => return Ok(Some(Cow::Borrowed(entries))),
            Value::Call(call) => &call.entries,
            _ => return Ok(None),
        };
        let known = self.called(id).filter(|called| {
            called.is("collections", &["OrderedDict", "defaultdict", "Counter"])
                || called.is("builtins", &["dict"])
        });
        let Some(called) = known else {
            return Ok((!filled.is_empty()).then_some(Cow::Borrowed(filled)));
        };
        // A copy only where two lists become one: a dictionary that refers to itself is walked many times.
        Ok(Some(match called.arguments {
            [inner] => match self.value(*inner) {
                Value::Dict(entries) => [entries, filled].concat().into(),
                // Python 2 pickles an `OrderedDict` as a list of pairs.
                Value::List(pairs) => [&self.pairs(pairs)?, filled].concat().into(),
                _ => Cow::Borrowed(filled),
            },
            _ => Cow::Borrowed(filled),
        }))
    }

    fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>, Fault> {
        let pair = |&id: &Id| match self.value(id) {
            Value::List(pair) | Value::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            _ => Err(self.wrong(id, "a pair of key and value")),
        };
        items.iter().map(pair).collect()
    }

    /// What the value is, in words, for errors.
    #[must_use]
    pub fn kind(&self, id: Id) -> String {
        let name = |(module, name): (&str, &str)| {
            let name = format!("{module}.{name}");
            // Names of Python are short; this one may be anything.
            if name.len() > 80 { crate::quote(&name) } else { name }
        };
        match self.value(id) {
            Value::None => "None".into(),
            Value::Bool(_) => "a boolean".into(),
            Value::Int(value) => format!("the integer {value}"),
            Value::LargeInt => "an integer of more than 64 bits".into(),
            Value::Float(value) => format!("the float {value:?}"),
            Value::Text(text) => format!("a string of {} bytes", text.len()),
            Value::Bytes(bytes) => format!("a string of {} bytes", bytes.len()),
            Value::Tuple(items) => format!("a tuple of {}", items.len()),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Set(items) => format!("a set of {}", items.len()),
            Value::Dict(entries) => format!("a dictionary of {}", entries.len()),
            Value::Persistent(_) => "a reference to a storage".into(),
            Value::Global { .. } => {
                format!("the name {}", self.global(id).map(name).unwrap_or_default())
            }
            Value::Call(_) => match self.called(id) {
                Some(called) => {
                    format!("a call of {} (not made)", name((called.module, called.name)))
                }
                None => "a call (not made)".into(),
            },
        }
    }
}
