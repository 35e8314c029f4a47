//! Small valid inputs, from which libFuzzer begins.

pub(crate) mod archives;
pub(crate) mod datasets;
pub(crate) mod pictures;
pub(crate) mod runs;
pub(crate) mod texts;
pub(crate) mod weights;
pub(crate) mod writers;

/// Joins a number of two bytes, and the parts after it.
fn counted(number: usize, parts: &[&[u8]]) -> Vec<u8> {
    let number = u16::try_from(number).unwrap();
    [&number.to_le_bytes()[..], &parts.concat()].concat()
}
