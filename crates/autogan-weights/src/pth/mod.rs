//! This module reads and writes PyTorch's `.pth` files. It reads both containers of `torch.save`, and executes nothing:
//!
//! - zip (since PyTorch 1.6): `*/data.pkl` and one member `*/data/KEY` per storage;
//! - legacy: magic number, protocol version, system description, the object, the list of storage
//!   keys (five pickles), then each storage as element count and raw elements.
//!
//! NumPy scalars beside the tensors are read as numbers; what is neither a tensor nor a number nor a
//! text is recorded under its name ([`crate::Archive::opaque`]). Source of both layouts: `torch/serialization.py` of PyTorch.

mod flatten;
pub(crate) mod legacy;
mod tensor;
mod value;
mod write;
pub(crate) mod zip;
