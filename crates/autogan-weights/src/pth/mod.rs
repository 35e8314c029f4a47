//! PyTorch `.pth` files: both containers of `torch.save`, read without executing anything.
//!
//! - zip (since PyTorch 1.6): `*/data.pkl` and one member `*/data/KEY` per storage;
//! - legacy: magic number, protocol version, system description, the object, the list of storage
//!   keys (five pickles), then each storage as element count and raw elements.
//!
//! NumPy scalars beside the tensors are read as numbers; what is neither a tensor nor a number nor a
//! text is recorded under its name ([`Archive::opaque`]). Source of both layouts: `torch/serialization.py` of PyTorch.

mod flatten;
mod legacy;
mod tensor;
mod value;
mod write;
mod zip;

use crate::archive::Archive;
use crate::error::Result;
use crate::sniff::{Container, sniff};
use std::path::Path;

impl Archive {
    /// Reads a `.pth` file that `torch.save` wrote from a dictionary, in either container.
    ///
    /// Nested dictionaries and lists are flattened with `.` (`gen_state_dict.cell1.c1.weight`);
    /// numbers, texts and booleans become metadata, as do the texts that [`Archive::write_pth`] wrote; `None` is left
    /// out. Whatever else lies beside the tensors (objects, functions, arrays) is recorded and never executed: see
    /// [`Archive::opaque`]. Tensors are on the CPU, contiguous, whatever their strides were; booleans become a `u8` of
    /// zeros and ones.
    ///
    /// # Errors
    /// When the file cannot be read or is truncated; when its pickle is broken or is no dictionary; when a tensor
    /// leaves its storage; when it would take far more memory than its size on disk. File and offset are named.
    pub fn read_pth(path: impl AsRef<Path>) -> Result<Archive> {
        let path = path.as_ref();
        match sniff(path)? {
            Container::PthZip => zip::read(path),
            Container::PthLegacy => legacy::read(path),
            Container::Safetensors => Err(crate::Error::format(
                path,
                0,
                "a .pth file from torch.save",
                "a safetensors file: read it as such",
            )),
        }
    }
}
