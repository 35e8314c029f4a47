//! Where a test computes: tests of several crates include this file by its path.

use std::sync::OnceLock;

use candle_core::Device;

/// The place that `AUTOGAN_TEST_DEVICE` names: `cpu`, or `cuda:N` in a build with the feature `cuda`; `unset` is its value
/// where it is not set. All tests of a program share one opening of a card, as tensors of two cannot meet.
///
/// Panics at any other value, and when the card cannot be opened.
pub fn device_or(unset: &str) -> Device {
    static OPEN: OnceLock<Device> = OnceLock::new();
    let open = || {
        let name = std::env::var("AUTOGAN_TEST_DEVICE").unwrap_or_else(|_| unset.to_owned());
        let card = name.strip_prefix("cuda:").and_then(|number| number.parse().ok());
        match (name.as_str(), card) {
            ("cpu", _) => Device::Cpu,
            (_, Some(number)) => open_card(number),
            _ => {
                panic!("AUTOGAN_TEST_DEVICE: expected cpu, or cuda:N with N from 0, found {name:?}")
            }
        }
    };
    OPEN.get_or_init(open).clone()
}

/// As `autogan` opens a card.
#[cfg(feature = "cuda")]
fn open_card(number: usize) -> Device {
    autogan_ops::cuda::open(number)
        .unwrap_or_else(|error| panic!("cuda:{number} cannot be opened: {error}"))
}

#[cfg(not(feature = "cuda"))]
fn open_card(number: usize) -> Device {
    panic!("AUTOGAN_TEST_DEVICE=cuda:{number}: this test was built without the feature cuda")
}
