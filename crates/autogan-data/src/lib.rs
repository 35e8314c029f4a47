//! This crate loads images: CIFAR-10, STL-10, folders, and an embedded dataset drawn by code.
//!
//! All images arrive as [`Images`]: square u8 RGB in memory, `[N, 3, side, side]`. Tensors are made elsewhere; nothing
//! here knows candle.
//!
//! - [`load`] takes a dataset's name and [`LoadOptions`]; [`DATASETS`] lists the names.
//! - [`shapes`] needs no file: ten classes, drawn from a seed.
//! - [`Batcher`] gives shuffled epochs whose order follows from `(seed, epoch)` alone.

pub mod batch;
pub mod cifar10;
mod draw;
mod error;
mod files;
pub mod folder;
mod images;
mod left_out;
pub mod listing;
mod picture;
pub mod registry;
mod resize;
pub mod shapes;
mod split;
pub mod stl10;
mod table;
mod whole;

pub use autogan_hub::Hub;
pub use batch::Batcher;
pub use error::{DataError, Result};
pub use images::{Images, normalise};
pub use picture::{Picture, decode as decode_picture, size as picture_size};
pub use registry::{DATASETS, DatasetSpec, LoadOptions, load};
pub use resize::resize_plane;
pub use split::Split;
