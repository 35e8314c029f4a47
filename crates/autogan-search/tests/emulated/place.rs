//! The other place: the CPU, where emulated kernels stand in for its own.

use std::rc::Rc;

use autogan_ops::cuda;
use candle_core::Device;

use crate::gpu::Emulated;

/// Seed of the emulation; an odd one has forward convolutions made by a library of its own.
const SEED: u64 = 3;

/// Where tensors lie.
pub fn device() -> Device {
    Device::Cpu
}

/// What `f` gives by the kernels. They stand in on one thread, so that thread does all of the work.
pub fn run<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| cuda::stand_in(Rc::new(Emulated(SEED)), f))
}
