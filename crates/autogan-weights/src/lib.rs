//! This crate reads and writes files of named tensors (safetensors, PyTorch `.pth`), and holds a network's parameters.
//!
//! Everything is read into an [`Archive`]: an ordered map from name to candle tensor, with text metadata beside it.
//! Files are treated as hostile: every offset, size and count is checked against the file before it is used, nothing in
//! a pickle is executed, and an error names the file, the offset and what was expected there.
//!
//! [`var_builder`] gives any such file to a model of `candle-nn`. [`Params`] keeps the variables and buffers of a network
//! and loads them strictly: all of them, or none.
//!
//! ```no_run
//! # fn main() -> Result<(), autogan_weights::Error> {
//! let checkpoint = autogan_weights::Archive::read_any("autogan_cifar10_a.pth")?;
//! let generator = checkpoint.pick(&["avg_gen_state_dict", "gen_state_dict"])?;
//! generator.write_safetensors("generator.safetensors")?;
//! # Ok(())
//! # }
//! ```

mod archive;
mod element;
mod error;
mod init;
mod limits;
mod params;
mod pth;
mod sniff;
mod st_read;
mod st_write;
mod var_builder;

pub use archive::Archive;
pub use autogan_files::sha256_file;
pub use error::{Error, Result};
pub use init::Init;
pub use params::{Params, ParamsBuilder, assign};
pub use sniff::{Container, sniff};
pub use var_builder::var_builder;
