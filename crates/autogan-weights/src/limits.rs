//! This module bounds what a file may make this crate allocate, relative to the file's own size.

/// Largest header of a safetensors file, as in the format's own implementation.
pub(crate) const HEADER_BYTES: u64 = 100_000_000;
/// Most entries of a checkpoint after its nested dictionaries are flattened.
pub(crate) const ENTRIES: usize = 1_000_000;
/// Most bytes of names and text metadata after flattening.
pub(crate) const TEXT_BYTES: usize = 64 << 20;
/// Deepest nesting of dictionaries and lists.
pub(crate) const DEPTH: usize = 32;

/// Bytes that the members of a zip container may expand to, in sum.
///
/// PyTorch stores members uncompressed; 16 leaves room for a container that was packed again.
pub(crate) fn expanded_bytes(file_len: u64) -> u64 {
    file_len.saturating_mul(16).saturating_add(16 << 20)
}

/// Bytes that all tensors together may take.
///
/// Tensors that share a storage, or expand one with stride 0, can need more than the file holds.
pub(crate) fn tensor_bytes(file_len: u64) -> u64 {
    file_len.saturating_mul(16).saturating_add(64 << 20)
}
