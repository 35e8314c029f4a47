//! Resizing of single planes, each as one known scorer does it.
//!
//! Sizes are (height, width); a source plane is `from.0 · from.1` values, row after row.

mod bicubic;
mod bilinear;

pub use bicubic::bicubic_pillow;
pub use bilinear::{bilinear_half_pixel, bilinear_tf1};
