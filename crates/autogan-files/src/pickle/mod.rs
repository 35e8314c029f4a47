//! A [`Pickle`] is one of Python's pickles, protocols 0 to 5, read without executing anything.
//!
//! [`Pickle::parse`] turns the opcodes into a table of values. What Python would call is kept as [`Value::Call`], and
//! never called; the reader of the table decides which calls it understands. Values refer to each other by [`Id`], so
//! that shared and cyclic structures cost nothing and nothing is dropped recursively.
//!
//! Memory is bounded by [`MAX_BYTES`], [`MAX_VALUES`] and the length of the pickle: strings are
//! slices of it, and each value or reference counts.
//!
//! ```
//! use autogan_files::pickle::Pickle;
//!
//! // {"x": os.system("true")}
//! let bytes = b"\x80\x02}U\x01xcos\nsystem\nU\x04true\x85Rs.";
//! let pickle = Pickle::parse(bytes)?;
//! let entries = pickle.entries(pickle.root())?.unwrap();
//! assert_eq!(pickle.text(entries[0].0).as_deref(), Some("x"));
//! assert_eq!(pickle.kind(entries[0].1), "a call of os.system (not made)");
//! # Ok::<(), autogan_files::Fault>(())
//! ```

mod cursor;
mod machine;
mod numpy;
mod opcode;
mod scalar;
mod view;

use std::borrow::Cow;

pub use numpy::{Array, Number};
pub use view::NamedCall;

use crate::Fault;
use cursor::Cursor;

/// Most bytes of one pickle.
pub const MAX_BYTES: u64 = 256 << 20;

/// Most values and references that one pickle may create.
pub const MAX_VALUES: usize = 4_000_000;

/// Most dimensions of an array.
pub const MAX_DIMS: usize = 32;

/// A value's place in its pickle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id(u32);

/// What a pickle can hold.
#[derive(Debug)]
pub enum Value<'a> {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer that 64 bits do not hold.
    LargeInt,
    /// A float.
    Float(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes, which are also Python 2's strings.
    Bytes(Cow<'a, [u8]>),
    /// A tuple.
    Tuple(Vec<Id>),
    /// A list.
    List(Vec<Id>),
    /// A set or a frozen set.
    Set(Vec<Id>),
    /// A dictionary, its entries in the order of the file.
    Dict(Vec<(Id, Id)>),
    /// A class or function by module and name, not looked up.
    Global {
        /// The module, a text.
        module: Id,
        /// The name in the module, a text.
        name: Id,
    },
    /// A reference to something outside of the pickle.
    Persistent(Id),
    /// A call that was not made.
    Call(Box<Call>),
}

/// A call that was not made, and what was to be done with its result.
#[derive(Debug)]
pub struct Call {
    /// What was to be called.
    pub callee: Id,
    /// Its arguments, a tuple.
    pub arguments: Id,
    /// The state that the result was to be given.
    pub state: Option<Id>,
    /// Items that were to be appended to the result.
    pub items: Vec<Id>,
    /// Entries that were to be set in the result.
    pub entries: Vec<(Id, Id)>,
}

/// A value with the offset of the opcode that made it.
#[derive(Debug)]
struct Node<'a> {
    value: Value<'a>,
    at: u32,
}

/// A parsed pickle.
#[derive(Debug)]
pub struct Pickle<'a> {
    nodes: Vec<Node<'a>>,
    root: Id,
    base: u64,
}

impl<'a> Pickle<'a> {
    /// Parses the pickle at the start of `bytes`; what follows it is ignored.
    ///
    /// # Errors
    /// When `bytes` are no pickle, end early, are or create too much, or hold an opcode that
    /// stands for something outside of the file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        Ok(Self::parse_at(bytes, 0)?.0)
    }

    /// As [`Pickle::parse`], for a pickle at offset `base` of a file; also gives its length.
    ///
    /// # Errors
    /// As [`Pickle::parse`]; offsets count from the start of the file.
    pub fn parse_at(bytes: &'a [u8], base: u64) -> Result<(Self, usize), Fault> {
        let limit = usize::try_from(MAX_BYTES).unwrap_or(usize::MAX);
        let mut cursor = Cursor::new(&bytes[..bytes.len().min(limit)], base);
        match machine::run(&mut cursor) {
            Ok((nodes, root)) => Ok((Pickle { nodes, root, base }, cursor.position())),
            Err(_) if bytes.len() > limit && cursor.position() + 1 >= limit => {
                Err(Fault::new(base, format!("a pickle of at most {MAX_BYTES} bytes"), "more"))
            }
            Err(fault) => Err(fault),
        }
    }

    /// The value that the pickle holds.
    #[must_use]
    pub fn root(&self) -> Id {
        self.root
    }

    /// The value at `id`.
    #[must_use]
    pub fn value(&self, id: Id) -> &Value<'a> {
        self.nodes.get(id.0 as usize).map_or(&Value::None, |node| &node.value)
    }

    /// All values, also those that the root does not reach.
    pub fn ids(&self) -> impl Iterator<Item = Id> {
        (0..self.nodes.len() as u32).map(Id)
    }

    /// Offset in the file of the opcode that made the value.
    #[must_use]
    pub fn offset(&self, id: Id) -> u64 {
        self.base + self.nodes.get(id.0 as usize).map_or(0, |node| node.at.into())
    }

    /// The fault that `id` is not `expected`.
    #[must_use]
    pub fn wrong(&self, id: Id, expected: impl Into<String>) -> Fault {
        self.unlike(id, expected, self.kind(id))
    }

    /// The fault that at `id` there is `found` in place of `expected`.
    #[must_use]
    pub fn unlike(&self, id: Id, expected: impl Into<String>, found: impl Into<String>) -> Fault {
        Fault::new(self.offset(id), expected, found)
    }
}
