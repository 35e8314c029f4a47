//! This module holds the scores, one file each: pure functions over [`crate::Matrix`] or statistics, in `f64`.

pub mod frechet;
pub mod inception;
pub mod kernel;
pub(crate) mod linalg;
pub mod prc;
