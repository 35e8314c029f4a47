//! A reader of Python pickles that hold plain data and numpy arrays; nothing is executed.
//!
//! It follows `pickletools` of CPython for the opcodes of protocols 2 to 5 that such files use.
//! A call (`REDUCE`) is only recorded: whoever reads the result decides which few calls it
//! understands, and takes any other as an error.

mod machine;
mod numpy;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};

/// A value's place in the pickle.
pub(crate) type Node = usize;

/// What a pickle can hold here. Containers refer to other nodes, so shared values are one node.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// Bytes of the file: Python 2's `str` and Python 3's `bytes`.
    Bytes(std::ops::Range<usize>),
    /// Text, UTF-8, as a range of the file.
    Text(std::ops::Range<usize>),
    List(Vec<Node>),
    Tuple(Vec<Node>),
    Dict(Vec<(Node, Node)>),
    /// A name `module.name`, not looked up.
    Global(String),
    /// A call that was not made: callee, arguments and the state given afterwards.
    Call {
        callee: Node,
        arguments: Node,
        state: Option<Node>,
    },
}

/// A parsed pickle.
#[derive(Debug)]
pub(crate) struct Pickle {
    path: PathBuf,
    bytes: Vec<u8>,
    nodes: Vec<(Value, usize)>,
    root: Node,
}

impl Pickle {
    /// Parses the pickle in `bytes`; `path` names it in errors.
    ///
    /// # Errors
    /// When the file is no pickle, ends early, or uses an opcode that plain data does not need.
    pub(crate) fn parse(path: &Path, bytes: Vec<u8>) -> Result<Self> {
        let (nodes, root) = machine::run(path, &bytes)?;
        Ok(Self { path: path.to_path_buf(), bytes, nodes, root })
    }

    /// The value that the pickle is about.
    pub(crate) fn root(&self) -> Node {
        self.root
    }

    /// The entry `key` (as text or as bytes) of the dictionary `node`.
    ///
    /// # Errors
    /// When the node is no dictionary.
    pub(crate) fn get(&self, node: Node, key: &str) -> Result<Option<Node>> {
        let Value::Dict(entries) = self.value(node) else {
            return Err(self.wrong(node, "a dictionary"));
        };
        let fits = |&&(k, _): &&(Node, Node)| self.raw(k) == Some(key.as_bytes());
        Ok(entries.iter().find(fits).map(|&(_, value)| value))
    }

    /// The keys of the dictionary `node`, as text; empty for anything else.
    pub(crate) fn keys(&self, node: Node) -> Vec<String> {
        let Value::Dict(entries) = self.value(node) else {
            return Vec::new();
        };
        let raw = entries.iter().filter_map(|&(key, _)| self.raw(key));
        raw.map(|key| String::from_utf8_lossy(key).into_owned()).collect()
    }

    /// The integers of a list or tuple.
    ///
    /// # Errors
    /// When the node is neither or holds anything else.
    pub(crate) fn integers(&self, node: Node) -> Result<Vec<(i64, u64)>> {
        let (Value::List(items) | Value::Tuple(items)) = self.value(node) else {
            return Err(self.wrong(node, "a list of integers"));
        };
        let pick = |&item: &Node| match self.value(item) {
            Value::Int(value) => Ok((*value, self.offset(item))),
            _ => Err(self.wrong(item, "an integer")),
        };
        items.iter().map(pick).collect()
    }

    /// Byte offset of a value in the file.
    pub(crate) fn offset(&self, node: Node) -> u64 {
        self.nodes.get(node).map_or(0, |(_, offset)| *offset as u64)
    }

    /// The error that `node` is not `expected`.
    pub(crate) fn wrong(&self, node: Node, expected: impl Into<String>) -> DataError {
        self.unlike(node, expected, self.kind(node))
    }

    /// The error that at `node` there is `found` in place of `expected`.
    pub(crate) fn unlike(
        &self,
        node: Node,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> DataError {
        DataError::format(
            &self.path,
            self.offset(node),
            expected,
            found,
            "the file is not what was expected; fetch or unpack it again",
        )
    }

    fn value(&self, node: Node) -> &Value {
        self.nodes.get(node).map_or(&Value::None, |(value, _)| value)
    }

    /// Bytes or text, undecoded.
    fn raw(&self, node: Node) -> Option<&[u8]> {
        match self.value(node) {
            Value::Bytes(range) | Value::Text(range) => self.bytes.get(range.clone()),
            _ => None,
        }
    }

    /// Bytes, or what Python 3 writes for bytes in protocol 2: `_codecs.encode(text, 'latin1')`.
    fn bytes_of(&self, node: Node) -> Option<Cow<'_, [u8]>> {
        match self.value(node) {
            Value::Bytes(range) => self.bytes.get(range.clone()).map(Cow::Borrowed),
            Value::Call { callee, arguments, .. }
                if *self.value(*callee) == Value::Global("_codecs.encode".into()) =>
            {
                let Value::Tuple(items) = self.value(*arguments) else {
                    return None;
                };
                let text = std::str::from_utf8(self.raw(*items.first()?)?).ok()?;
                let latin = text.chars().map(|c| u8::try_from(u32::from(c)));
                latin.collect::<std::result::Result<Vec<u8>, _>>().ok().map(Cow::Owned)
            }
            _ => None,
        }
    }

    fn kind(&self, node: Node) -> String {
        match self.value(node) {
            Value::None => "None".into(),
            Value::Bool(_) => "a boolean".into(),
            Value::Int(value) => format!("the integer {value}"),
            Value::Bytes(range) | Value::Text(range) => {
                format!("a string of {} bytes", range.len())
            }
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Tuple(items) => format!("a tuple of {}", items.len()),
            Value::Dict(entries) => format!("a dictionary of {}", entries.len()),
            Value::Global(name) => format!("the name {name}"),
            Value::Call { callee, .. } => match self.value(*callee) {
                Value::Global(name) => format!("a call of {name} (not made)"),
                _ => "a call (not made)".into(),
            },
        }
    }
}
