//! [`Fault`]: where a file breaks its format, before the file's name is known.

/// An offence against a format: what was expected at an offset, and what was found there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: expected {expected}, found {found}")]
pub struct Fault {
    /// Byte offset in the file, or in the member of an archive.
    pub offset: u64,
    /// What the format asks for at this offset.
    pub expected: String,
    /// What is there instead.
    pub found: String,
}

impl Fault {
    /// A fault at `offset`.
    pub fn new(offset: u64, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Fault { offset, expected: expected.into(), found: found.into() }
    }
}

/// At most 60 characters of text from a file, quoted, fit for an error message.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}
