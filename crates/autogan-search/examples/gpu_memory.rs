//! Counts the memory that a preset's networks need on a GPU, without a GPU: the kernels that operators launch do nothing,
//! and only the memory that operators ask for is counted.
//!
//! `cargo run --release -p autogan-search --features emulate --example gpu_memory -- cifar10`
//!
//! The count holds weights, their averages, gradients and moments, activations, images and scratch memory, at the peak of
//! a D step and a G step. A search takes these steps with an architecture that keeps many activations, a training with its
//! own architecture. The memory of CUDA and cuDNN themselves is not counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use autogan_config::Configuration;
use autogan_data::Images;
use autogan_metrics::compact::CompactClassifier;
use autogan_ops::Precision;
use autogan_ops::cuda::{ConvSizes, Convolution, Gpu, Launch, Room, stand_in};
use autogan_search::{
    Job, KnownReals, SearchConfig, SearchError, SharedTraining, Silent, Training, TrainingConfig,
    TrainingInputs,
};
use autogan_space::Arch;
use candle_core::{DType, Device, Result, Tensor};

type Outcome<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// An allocator that counts the memory in use, and the most that has been in use.
struct CountingAllocator;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// A GPU that has memory and computes nothing. A library makes its convolutions, without memory of its own.
struct IdleGpu;

impl Gpu for IdleGpu {
    fn launch(&self, _: &Launch) -> Result<()> {
        Ok(())
    }

    fn convolve(
        &self,
        _: Convolution,
        _: Precision,
        _: &ConvSizes,
        _: (u64, u64, u64),
    ) -> Result<bool> {
        Ok(true)
    }

    fn room(&self, bytes: usize) -> Result<Room> {
        let mut memory = vec![0u64; bytes.div_ceil(8)];
        Ok(Room::new(memory.as_mut_ptr() as u64, memory))
    }

    fn upload(&self, bytes: &[u8]) -> Result<Room> {
        self.room(bytes.len())
    }
}

/// The memory in GiB that `f` uses at its peak, without the memory in use before.
fn peak(f: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let before = NOW.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    stand_in(Rc::new(IdleGpu), f)?;
    Ok((MOST.load(Ordering::Relaxed) - before) as f64 / (1u64 << 30) as f64)
}

/// An architecture that a search may draw and that keeps many activations: batch norm before each convolution, bilinear
/// upsampling, every shortcut and skip.
const LARGE: &str = "1 1 0 1 1 1 0 1 1 1 1 0 1 3";

/// A D step and a G step of shared training at a stage.
fn search(preset: &str, stage: usize) -> Outcome<f64> {
    let config = SearchConfig::preset(preset, &[])?;
    let images = config.train.d_batch;
    peak(move || {
        let mut training = SharedTraining::new(config, stage, &Device::Cpu)?;
        let side = training.side();
        let real = Tensor::zeros((images, 3, side, side), DType::F32, &Device::Cpu)?;
        let arch = LARGE.parse::<Arch>()?.prefix(stage + 1);
        training.d_step(&arch, &real)?;
        training.g_step(&arch)?;
        Ok(())
    })
}

/// A D step and a G step of a training from scratch.
fn training(preset: &str, precision: &str) -> Outcome<f64> {
    let config = TrainingConfig::preset(preset, &[format!("precision={precision}")])?;
    let side = config.side();
    let pixels = vec![0; config.train.d_batch * 3 * side * side];
    let inputs = TrainingInputs {
        images: Arc::new(Images::new("black", side, pixels, None, Vec::new())?),
        extractor: Arc::new(CompactClassifier::shapes(&Device::Cpu)?),
        known: KnownReals::default(),
        device: Device::Cpu,
    };
    peak(move || match Training::new(config, inputs)?.advance(&mut Silent) {
        // Nothing was computed, so the losses need not be finite.
        Ok(_) | Err(SearchError::Diverged { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    })
}

#[allow(clippy::print_stdout)] // the result
fn main() -> Outcome<()> {
    let preset = std::env::args().nth(1).unwrap_or_else(|| "cifar10".into());
    for stage in 0..3 {
        println!("search {preset}, stage {stage}: {:.2} GiB", search(&preset, stage)?);
    }
    for precision in ["f32", "bf16"] {
        println!("train {preset}, {precision}: {:.2} GiB", training(&preset, precision)?);
    }
    Ok(())
}
