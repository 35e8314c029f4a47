//! The place under test: the CPU, where emulated kernels stand in for its own.

use std::rc::Rc;

use autogan_ops::cuda;
use autogan_testing::EmulatedGpu;
use candle_core::Device;

use crate::cases::layers::Layer;

/// What outputs may differ by, relative to the largest.
pub const LEAST_TOLERANCE: f64 = 1e-5;

/// Whether convolutions compute in bf16 here.
pub fn has_bf16() -> bool {
    true
}

/// Cases of each operator: its kernels have more of their own.
pub fn cases() -> u64 {
    24
}

/// Where inputs lie.
pub fn device() -> Device {
    Device::Cpu
}

/// What `f` gives by the kernels, their blocks in the order that the seed gives.
pub fn run<R>(seed: u64, f: impl FnOnce() -> R) -> R {
    cuda::stand_in(Rc::new(EmulatedGpu(seed)), f)
}

/// Layers that take a moment; those of real size are for GPUs.
pub fn layers() -> &'static [Layer] {
    &[
        Layer { images: 2, channels: 9, outputs: 66, side: 6 },
        Layer { images: 1, channels: 65, outputs: 3, side: 4 },
    ]
}
