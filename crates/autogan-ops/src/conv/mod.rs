//! This module holds convolutions, each with its gradient: plain, fused, and with pooling or upsampling as part of it.

mod conv2d;
mod fused;
mod gpu;
mod phases;
mod pooled;
mod reference;

pub use autogan_kernels::ConvGeometry;
pub use conv2d::{conv2d, conv2d_relu, conv2d_strided};
pub use fused::{Before, FusedOutput, Resize, Statistics, conv2d_fused, conv2d_fused_ref};
pub(crate) use gpu::{channel_sums, sum_shares};
pub use pooled::{conv2d_avg_pool2, conv2d_avg_pool2_ref};
pub use reference::conv2d_ref;
