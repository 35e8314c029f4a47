//! The place under test: the GPU that `AUTOGAN_TEST_DEVICE` names.

use autogan_testing::device_or;
use candle_core::Device;

use crate::cases::layers::Layer;

/// The tolerance of outputs, relative to the largest. cuDNN may convolve by Winograd's algorithm or by Fourier
/// transforms, which lose some of the last digits of f32.
pub const LEAST_TOLERANCE: f64 = if cfg!(feature = "cudnn") { 1e-4 } else { 1e-5 };

/// Whether convolutions compute in bf16 here: our own kernels always do, cuDNN does from compute capability 8.0.
pub fn has_bf16() -> bool {
    let device = device();
    let gpu = device.as_cuda_device().unwrap().cuda_stream();
    let (major, _) = gpu.context().compute_capability().unwrap();
    !cfg!(feature = "cudnn") || major >= 8
}

/// The number of cases of each operator: 24, or `AUTOGAN_TEST_CASES`, for tools that make kernels slow.
pub fn cases() -> u64 {
    few().unwrap_or(24)
}

fn few() -> Option<u64> {
    let text = std::env::var("AUTOGAN_TEST_CASES").ok()?;
    let count = text.parse().ok().filter(|&count| count > 0);
    Some(
        count.unwrap_or_else(|| {
            panic!("AUTOGAN_TEST_CASES: expected a number from 1, found {text:?}")
        }),
    )
}

/// Layers of real searches, or small ones where few cases are wanted.
pub fn layers() -> &'static [Layer] {
    const LARGE: &[Layer] = &[
        Layer { images: 64, channels: 64, outputs: 64, side: 32 },
        Layer { images: 64, channels: 256, outputs: 256, side: 8 },
        Layer { images: 16, channels: 256, outputs: 3, side: 32 },
        Layer { images: 16, channels: 128, outputs: 256, side: 16 },
    ];
    const SMALL: &[Layer] = &[Layer { images: 2, channels: 64, outputs: 65, side: 8 }];
    if few().is_some() { SMALL } else { LARGE }
}

/// The device of the inputs.
pub fn device() -> Device {
    let device = device_or("cuda:0");
    assert!(device.is_cuda(), "AUTOGAN_TEST_DEVICE: these tests are for a GPU, expected cuda:N");
    device
}

/// Runs `f`. The seed has no effect, because a GPU runs blocks in an order of its own.
pub fn run<R>(_: u64, f: impl FnOnce() -> R) -> R {
    f()
}
