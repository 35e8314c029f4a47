//! The other place: the card that `AUTOGAN_TEST_DEVICE` names.

use candle_core::Device;

use crate::device::device_or;

/// Where tensors lie.
pub fn device() -> Device {
    let device = device_or("cuda:0");
    assert!(device.is_cuda(), "AUTOGAN_TEST_DEVICE: these tests are for a card, expected cuda:N");
    device
}

/// What `f` gives.
pub fn run<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    f()
}
