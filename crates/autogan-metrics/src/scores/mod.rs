//! This module holds the scores, one file each: pure functions over [`crate::Matrix`] or statistics, in `f64`.

pub mod frechet;
pub mod inception;
pub mod kernel;
pub(crate) mod kernel_sums;
pub(crate) mod linalg;
pub mod mind;
pub(crate) mod near;
pub(crate) mod neighbours;
pub mod prc;
pub mod resample;
pub(crate) mod tiles;
