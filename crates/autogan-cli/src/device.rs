//! `--device` says where networks compute; it is spelled the same in all commands.
//!
//! CUDA's libraries are linked, not loaded, so a program that has them does not start where there is no driver. The
//! operators on NVIDIA GPUs therefore live in a program of their own, `autogan-cuda`, which this crate becomes with the
//! feature `cuda`; without it [`open`] hands over to the one that lies beside `autogan`.

use anyhow::bail;
use candle_core::Device;

/// Where to compute; `cuda:1` is the second GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Cpu,
    Cuda(usize),
}

impl Place {
    /// The place of this name.
    fn of(name: &str) -> anyhow::Result<Self> {
        let gpu = |number: &str| {
            let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            number.parse().ok().filter(|_| digits)
        };
        match (name, name.strip_prefix("cuda:").map(gpu)) {
            ("cpu", _) => Ok(Self::Cpu),
            ("cuda", _) => Ok(Self::Cuda(0)),
            (_, Some(Some(gpu))) => Ok(Self::Cuda(gpu)),
            _ => bail!(
                "--device: expected cpu, cuda (the first NVIDIA GPU) or cuda:N with N from 0, found {name:?}"
            ),
        }
    }
}

/// The device of this name. In a build without the feature `cuda`, the name of a GPU does not return where
/// `autogan-cuda` can take over. It fails when there is no such name, no such GPU, no driver, or no program that
/// computes on GPUs; what to do is said.
pub fn open(name: &str) -> anyhow::Result<Device> {
    match Place::of(name)? {
        Place::Cpu => Ok(Device::Cpu),
        Place::Cuda(gpu) => open_gpu(gpu),
    }
}

/// The device in words, as a run notes it: `cpu`, `cuda:0 (NVIDIA H100)`.
pub fn describe(device: &Device) -> String {
    match device {
        Device::Cpu => "cpu".into(),
        other => describe_gpu(other),
    }
}

#[cfg(feature = "cuda")]
use gpu::{describe as describe_gpu, open as open_gpu};

#[cfg(not(feature = "cuda"))]
fn open_gpu(gpu: usize) -> anyhow::Result<Device> {
    Err(crate::cuda_program::hand_over(gpu))
}

#[cfg(not(feature = "cuda"))]
fn describe_gpu(device: &Device) -> String {
    format!("{:?}", device.location())
}

/// This module opens and describes GPUs, in a build with the feature `cuda`.
#[cfg(feature = "cuda")]
mod gpu {
    use std::sync::{Mutex, PoisonError};

    use anyhow::{Context, bail};
    use candle_core::Device;
    use candle_core::cuda_backend::cudarc::driver::CudaContext;

    /// The open GPUs, each opened once: one operation cannot use tensors of two openings.
    static OPEN: Mutex<Vec<(usize, Device)>> = Mutex::new(Vec::new());

    /// GPU `gpu`, which all threads share.
    pub fn open(gpu: usize) -> anyhow::Result<Device> {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, device)) = open.iter().find(|(number, _)| *number == gpu) {
            return Ok(device.clone());
        }
        let device = first(gpu)?;
        open.push((gpu, device.clone()));
        Ok(device)
    }

    /// Opens a GPU for the first time.
    fn first(gpu: usize) -> anyhow::Result<Device> {
        let count = CudaContext::device_count().with_context(|| {
            format!(
                "--device cuda:{gpu}: the NVIDIA driver finds no GPU; `nvidia-smi` says why (a container needs \
                 `--gpus all`, and CUDA_VISIBLE_DEVICES hides GPUs)"
            )
        })?;
        let count = usize::try_from(count).unwrap_or(0);
        if gpu >= count {
            bail!(
                "--device cuda:{gpu}: expected a number below {count}, the GPUs that the driver shows \
                 (`nvidia-smi -L` lists them, CUDA_VISIBLE_DEVICES hides some)"
            );
        }
        let device = autogan_nn::ops::cuda::open(gpu).with_context(|| {
            format!(
                "--device cuda:{gpu}: the GPU cannot be opened; `nvidia-smi` shows whether it works and who else \
                 holds its memory"
            )
        })?;
        Ok(device)
    }

    /// The number and the name of a GPU.
    pub fn describe(device: &Device) -> String {
        let Ok(gpu) = device.as_cuda_device() else { return format!("{:?}", device.location()) };
        let stream = gpu.cuda_stream();
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
