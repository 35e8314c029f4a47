//! The place under test: the CPU, where emulated kernels stand in for its own.

use std::rc::Rc;

use autogan_ops::cuda;
use autogan_testing::EmulatedGpu;
use candle_core::Device;

use crate::cases::layers::Layer;

/// The tolerance of outputs, relative to the largest.
pub const LEAST_TOLERANCE: f64 = 1e-5;

/// Whether convolutions compute in bf16 here.
pub fn has_bf16() -> bool {
    true
}

/// The number of cases of each operator. The tests of its kernels have more.
pub fn cases() -> u64 {
    24
}

/// The device of the inputs.
pub fn device() -> Device {
    Device::Cpu
}

/// Runs `f` with the kernels. The seed decides the order of their blocks.
pub fn run<R>(seed: u64, f: impl FnOnce() -> R) -> R {
    cuda::stand_in(Rc::new(EmulatedGpu(seed)), f)
}

/// Small layers, because the emulation is slow.
pub fn layers() -> &'static [Layer] {
    &[
        Layer { images: 2, channels: 9, outputs: 66, side: 6 },
        Layer { images: 1, channels: 65, outputs: 3, side: 4 },
    ]
}
