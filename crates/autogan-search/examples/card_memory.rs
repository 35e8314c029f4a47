//! Memory that a preset's networks ask a card for, worked out without one: what operators launch goes nowhere, while
//! the memory that they ask for is counted.
//!
//! `cargo run --release -p autogan-search --features emulate --example card_memory -- cifar10`
//!
//! Counted are weights, their averages, gradients and moments, activations, images and scratch memory, at the peak of a
//! D step and a G step: of a search for an architecture that keeps much, of a training for its own. Not counted is what
//! CUDA and cuDNN keep for themselves.

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

/// Memory in use, and the most that was.
struct Counted;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counted {
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
static COUNTED: Counted = Counted;

/// A card that has memory and does nothing with it. Convolutions are a library's, without memory of its own.
struct Idle;

impl Gpu for Idle {
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

/// GiB at the peak of `f`, beyond what was in use before.
fn peak(f: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let before = NOW.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    stand_in(Rc::new(Idle), f)?;
    Ok((MOST.load(Ordering::Relaxed) - before) as f64 / (1u64 << 30) as f64)
}

/// Of those that a search draws, one that keeps much: batch norm before each convolution, bilinear upsampling, every
/// shortcut and skip.
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
        // What nobody computed need not be finite.
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
