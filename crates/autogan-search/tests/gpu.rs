//! A search and a training from scratch on the CPU, step by step beside the same on a GPU.
//!
//! `AUTOGAN_TEST_DEVICE` names the GPU, `cuda:0` when unset. Run by `cargo xtask gpu-check`.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

mod beside;
mod tiny;

/// The other place: the GPU that `AUTOGAN_TEST_DEVICE` names.
mod place {
    use autogan_testing::device_or;
    use candle_core::Device;

    /// The device of the tensors.
    pub fn device() -> Device {
        let device = device_or("cuda:0");
        assert!(
            device.is_cuda(),
            "AUTOGAN_TEST_DEVICE: these tests are for a GPU, expected cuda:N"
        );
        device
    }

    /// Runs `f`, which needs nothing around it on a GPU.
    pub fn run<R: Send>(f: impl FnOnce() -> R + Send) -> R {
        f()
    }
}
