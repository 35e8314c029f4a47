//! `--device`: where networks compute, under one spelling for all commands.
//!
//! CUDA's libraries are linked, not loaded, so a program that has them does not start where there is no driver. The
//! operators on NVIDIA cards therefore live in a program of their own, `autogan-cuda`, which this crate becomes with the
//! feature `cuda`; without it [`open`] hands over to the one that lies beside `autogan`.

use anyhow::bail;
use candle_core::Device;

/// Where to compute; `cuda:1` is the second card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Cpu,
    Cuda(usize),
}

impl Place {
    /// The place of this name.
    fn of(name: &str) -> anyhow::Result<Self> {
        let card = |number: &str| {
            let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            number.parse().ok().filter(|_| digits)
        };
        match (name, name.strip_prefix("cuda:").map(card)) {
            ("cpu", _) => Ok(Self::Cpu),
            ("cuda", _) => Ok(Self::Cuda(0)),
            (_, Some(Some(card))) => Ok(Self::Cuda(card)),
            _ => bail!(
                "--device: expected cpu, cuda (the first NVIDIA card) or cuda:N with N from 0, found {name:?}"
            ),
        }
    }
}

/// The device of this name. In a build without the feature `cuda`, the name of a card does not return where
/// `autogan-cuda` can take over. It fails when there is no such name, no such card, no driver, or no program that
/// computes on cards; what to do is said.
pub fn open(name: &str) -> anyhow::Result<Device> {
    match Place::of(name)? {
        Place::Cpu => Ok(Device::Cpu),
        Place::Cuda(card) => open_card(card),
    }
}

/// The device in words, as a run notes it: `cpu`, `cuda:0 (NVIDIA H100)`.
pub fn describe(device: &Device) -> String {
    match device {
        Device::Cpu => "cpu".into(),
        other => describe_card(other),
    }
}

#[cfg(feature = "cuda")]
use card::{describe as describe_card, open as open_card};

#[cfg(not(feature = "cuda"))]
fn open_card(card: usize) -> anyhow::Result<Device> {
    Err(crate::cuda_program::hand_over(card))
}

#[cfg(not(feature = "cuda"))]
fn describe_card(device: &Device) -> String {
    format!("{:?}", device.location())
}

/// Cards, where they are compiled in.
#[cfg(feature = "cuda")]
mod card {
    use std::sync::{Mutex, PoisonError};

    use anyhow::{Context, bail};
    use candle_core::Device;
    use candle_core::cuda_backend::cudarc::driver::CudaContext;

    /// Cards that are open, each opened once: tensors of two openings cannot meet.
    static OPEN: Mutex<Vec<(usize, Device)>> = Mutex::new(Vec::new());

    /// Card `card`, which all threads share.
    pub fn open(card: usize) -> anyhow::Result<Device> {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, device)) = open.iter().find(|(number, _)| *number == card) {
            return Ok(device.clone());
        }
        let device = first(card)?;
        open.push((card, device.clone()));
        Ok(device)
    }

    /// [`open`] for the first time.
    fn first(card: usize) -> anyhow::Result<Device> {
        let count = CudaContext::device_count().with_context(|| {
            format!(
                "--device cuda:{card}: the NVIDIA driver finds no card; `nvidia-smi` says why (a container needs \
                 `--gpus all`, and CUDA_VISIBLE_DEVICES hides cards)"
            )
        })?;
        let count = usize::try_from(count).unwrap_or(0);
        if card >= count {
            bail!(
                "--device cuda:{card}: expected a number below {count}, the cards that the driver shows \
                 (`nvidia-smi -L` lists them, CUDA_VISIBLE_DEVICES hides some)"
            );
        }
        let device = autogan_nn::ops::cuda::open(card).with_context(|| {
            format!(
                "--device cuda:{card}: the card cannot be opened; `nvidia-smi` shows whether it works and who else \
                 holds its memory"
            )
        })?;
        Ok(device)
    }

    /// The number and the name of a card.
    pub fn describe(device: &Device) -> String {
        let Ok(card) = device.as_cuda_device() else { return format!("{:?}", device.location()) };
        let stream = card.cuda_stream();
        let context = stream.context();
        let name = context.name().unwrap_or_else(|_| "unknown".into());
        format!("cuda:{} ({name})", context.ordinal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_one_spelling() {
        assert_eq!(Place::of("cpu").unwrap(), Place::Cpu);
        assert_eq!(Place::of("cuda").unwrap(), Place::Cuda(0));
        assert_eq!(Place::of("cuda:0").unwrap(), Place::Cuda(0));
        assert_eq!(Place::of("cuda:12").unwrap(), Place::Cuda(12));
    }

    #[test]
    fn other_names_are_told_what_was_expected() {
        let wrong = "|gpu|tpu|CPU|cpu:0|cuda:|cuda:x|cuda:-1|cuda:+1|cuda:1x|cuda0|cuda: 1|cuda:99999999999999999999";
        for name in wrong.split('|') {
            let error = Place::of(name).unwrap_err().to_string();
            assert!(error.contains("expected cpu, cuda"), "{error}");
            assert!(error.contains(&format!("{name:?}")), "{error}");
        }
    }

    #[test]
    fn the_cpu_is_opened_and_described() {
        assert_eq!(describe(&open("cpu").unwrap()), "cpu");
    }
}
