//! [`device_or`] opens the device that a test computes on.

use std::sync::OnceLock;

use candle_core::Device;

/// The device that `AUTOGAN_TEST_DEVICE` names: `cpu`, or `cuda:N` in a build with the feature `cuda`. `unset` is the name
/// that counts where the variable is not set. All tests of a program share one opened GPU, because tensors of two
/// openings cannot meet.
///
/// Panics at any other name, and when the GPU cannot be opened.
pub fn device_or(unset: &str) -> Device {
    static OPEN: OnceLock<Device> = OnceLock::new();
    let open = || {
        let name = std::env::var("AUTOGAN_TEST_DEVICE").unwrap_or_else(|_| unset.to_owned());
        let gpu = name.strip_prefix("cuda:").and_then(|number| number.parse().ok());
        match (name.as_str(), gpu) {
            ("cpu", _) => Device::Cpu,
            (_, Some(number)) => open_gpu(number),
            _ => {
                panic!("AUTOGAN_TEST_DEVICE: expected cpu, or cuda:N with N from 0, found {name:?}")
            }
        }
    };
    OPEN.get_or_init(open).clone()
}

/// Opens a GPU as the program `autogan` does.
#[cfg(feature = "cuda")]
fn open_gpu(number: usize) -> Device {
    autogan_ops::cuda::open(number)
        .unwrap_or_else(|error| panic!("cuda:{number} cannot be opened: {error}"))
}

#[cfg(not(feature = "cuda"))]
fn open_gpu(number: usize) -> Device {
    panic!("AUTOGAN_TEST_DEVICE=cuda:{number}: this test was built without the feature cuda")
}
