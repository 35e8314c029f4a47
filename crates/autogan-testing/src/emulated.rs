//! An [`EmulatedGpu`] runs the CUDA kernels on the CPU. `autogan_ops::cuda::stand_in` takes it in place of a real GPU.

use std::ffi::c_void;

use autogan_ops::Precision;
use autogan_ops::cuda::{self, ConvSizes, Convolution, Gpu, Launch, Room};
use candle_core::{Result, bail};

use crate::kernels::{self, Argument};

/// The side of a tile of the kernel `conv_forward`.
const TILE: usize = 64;

/// Runs launches by the emulation. The number is a seed, which decides the order of the blocks.
pub struct EmulatedGpu(pub u64);

impl Gpu for EmulatedGpu {
    fn launch(&self, launch: &Launch) -> Result<()> {
        let arguments: Vec<Argument> = launch.arguments.iter().map(Argument::from).collect();
        let seed = self.0 as u32;
        match kernels::launch(launch.kernel, launch.grid, launch.threads, &arguments, seed) {
            None => Ok(()),
            Some(error) => bail!("{}: {error}", launch.kernel),
        }
    }

    /// With an odd seed, the GPU computes the forward pass like a library that knows neither bias nor ReLU.
    fn convolve(
        &self,
        which: Convolution,
        precision: Precision,
        sizes: &ConvSizes,
        (x, weight, y): (u64, u64, u64),
    ) -> Result<bool> {
        let known = (which, precision) == (Convolution::Forward, Precision::F32);
        if !known || self.0.is_multiple_of(2) {
            return Ok(false);
        }
        let [n, _, _, _, co, _, _, ho, wo, ..] = sizes.0;
        let arguments = vec![
            cuda::Argument::Floats(x),
            cuda::Argument::Floats(weight),
            cuda::Argument::Floats(0),
            cuda::Argument::FloatsOut(y),
            cuda::Argument::Conv(*sizes),
            cuda::Argument::Int(0),
        ];
        let tiles = |size: i32| (size as usize).div_ceil(TILE) as u32;
        let grid = [tiles(n * ho * wo), tiles(co), 1];
        self.launch(&Launch { kernel: "conv_forward", grid, threads: 256, arguments })?;
        Ok(true)
    }

    fn room(&self, bytes: usize) -> Result<Room> {
        let mut memory = vec![u64::MAX; bytes.div_ceil(8)];
        Ok(Room::new(memory.as_mut_ptr() as u64, memory))
    }

    fn upload(&self, bytes: &[u8]) -> Result<Room> {
        let room = self.room(bytes.len())?;
        // SAFETY: the room has this size, and nobody else has its address.
        unsafe { std::ptr::copy(bytes.as_ptr(), room.address() as *mut u8, bytes.len()) };
        Ok(room)
    }
}

impl From<&cuda::Argument> for Argument {
    fn from(from: &cuda::Argument) -> Self {
        use cuda::Argument as From;
        let pointer = |to: u64| Self::pointer(from.letter(), to as *const c_void);
        match *from {
            From::Floats(to) | From::FloatsOut(to) | From::Doubles(to) => pointer(to),
            From::DoublesOut(to) | From::Adam(to) | From::Ema(to) => pointer(to),
            From::Bytes(to) | From::BytesOut(to) => pointer(to),
            From::Bf16(to) | From::Bf16Out(to) => pointer(to),
            From::Int(v) => Self::int(v),
            From::Float(v) => v.into(),
            From::Double(v) => v.into(),
            From::Conv(ConvSizes(sizes)) => Self::sizes(sizes),
        }
    }
}
