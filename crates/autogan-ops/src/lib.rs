//! This crate holds operators for candle that the networks of AutoGAN need, each with a gradient that is tested.
//! Operators that only scorers need have none, and refuse an input of which one is wanted: [`bytes_to_floats`],
//! [`floats_to_bytes`], [`resize_bilinear`], [`space_to_depth`], [`max_pool3`], [`avg_pool3`]. On the CPU operators run
//! the loops of [`autogan_kernels`]; on a GPU the kernels beside them ([`cuda`]).
//!
//! candle 0.11 has no gradient for bilinear upsampling, a wrong one for nearest upsampling of a tensor that is used
//! twice, and slow convolutions on the CPU; layers for training therefore come from here. Tensors are `[N, C, H, W]`,
//! f32 (training) or f64 (checking). Every result has the same bits for any number of threads. Inside of [`computing_in`]
//! convolutions of f32 tensors may compute in bf16.
//!
//! Each operator stands beside a plain form with the suffix `_ref`, written as its definition or from candle's
//! elementary operators, that it is tested against.

mod activation;
mod add;
mod bytes;
mod conv;
pub mod cuda;
mod deconv;
mod depth;
mod evaluated;
mod gradients;
mod hinge;
mod host;
mod join;
mod linear;
mod norm;
mod operator;
mod optim;
mod pool;
mod pool3;
mod precision;
mod readback;
mod real;
mod resize;
mod scope;
mod softmax;
mod spectral;
mod tape;
mod upload;
mod upsample;
mod views;

pub use activation::{relu, tanh};
pub use add::add;
pub use bytes::{bytes_to_floats, bytes_to_floats_ref, floats_to_bytes, floats_to_bytes_ref};
pub use conv::{
    Before, ConvGeometry, FusedOutput, Resize, Statistics, conv2d, conv2d_avg_pool2,
    conv2d_avg_pool2_ref, conv2d_fused, conv2d_fused_ref, conv2d_ref, conv2d_relu, conv2d_strided,
};
pub use deconv::{conv_transpose2x2, conv_transpose2x2_ref};
pub use depth::{space_to_depth, space_to_depth_ref};
pub use gradients::{GradientOf, Gradients, gradients};
pub use hinge::{hinge_mean, scaled_mean};
pub use join::join;
pub use linear::{linear, matmul};
pub use norm::{
    Activation, BatchNormOutput, batch_norm_eval, batch_norm_ref, batch_norm_train, instance_norm,
    instance_norm_ref, update_running,
};
pub use optim::{Adam, AdamConfig, AdamOptimizer, Moments, ema_update};
pub use pool::{avg_pool_global, avg_pool2, sum_pool};
pub use pool3::{avg_pool3, avg_pool3_ref, max_pool3, max_pool3_ref};
pub use precision::{Precision, computing_in};
pub use readback::Readback;
pub use real::Real;
pub use resize::{PixelScale, ResizeRule, resize_bilinear, resize_bilinear_ref};
pub use softmax::{cross_entropy, log_softmax, log_softmax_ref};
pub use spectral::{power_iterate, spectral_normalize, spectral_normalize_ref};
pub use upload::upload;
pub use upsample::{upsample_bilinear, upsample_nearest};
pub use views::{concat, permute, reshape};
