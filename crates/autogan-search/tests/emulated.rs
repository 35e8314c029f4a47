//! A search and a training from scratch on the CPU, step by step beside the same by every CUDA kernel that they launch,
//! emulated. `cargo test --release --workspace --features emulate --test emulated`.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

mod beside;
mod tiny;

/// The other place: the CPU, where emulated kernels stand in for its own.
mod place {
    use std::rc::Rc;

    use autogan_ops::cuda;
    use autogan_testing::EmulatedGpu;
    use candle_core::Device;

    /// The seed of the emulation. It is odd, so a library of the emulated GPU makes the forward convolutions.
    const SEED: u64 = 3;

    /// The device of the tensors.
    pub fn device() -> Device {
        Device::Cpu
    }

    /// Runs `f` with the kernels. They stand in on one thread, so that thread does all of the work.
    pub fn run<R: Send>(f: impl FnOnce() -> R + Send) -> R {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        pool.install(|| cuda::stand_in(Rc::new(EmulatedGpu(SEED)), f))
    }
}
