//! A [`Launch`] is the start of a kernel as data: a name, a grid, arguments. A [`Gpu`] runs it.

use std::any::Any;

use candle_core::{Result, bail};

use crate::precision::Precision;

/// A machine that runs kernels: an NVIDIA GPU, or the emulation that tests them.
///
/// Everything that is asked for happens in the order in which it is asked for. Nothing here is read back to the host,
/// so no operator can wait for the GPU.
pub trait Gpu {
    /// Starts a kernel; it need not have ended on return.
    ///
    /// # Errors
    /// When there is no such kernel, or the driver refuses.
    fn launch(&self, launch: &Launch) -> Result<()>;

    /// Runs a convolution by a library: from two tensors to a third, each at its address; in bf16 their values are of
    /// that type, else f32. False where there is no library, and kernels are to be launched.
    ///
    /// # Errors
    /// When the library fails.
    fn convolve(
        &self,
        which: Convolution,
        precision: Precision,
        sizes: &ConvSizes,
        (first, second, out): (u64, u64, u64),
    ) -> Result<bool> {
        let _ = (which, precision, sizes, first, second, out);
        Ok(false)
    }

    /// Memory for `bytes` bytes of any content, aligned for every type.
    ///
    /// # Errors
    /// When there is not enough.
    fn room(&self, bytes: usize) -> Result<Room>;

    /// Memory that holds a copy of these bytes.
    ///
    /// # Errors
    /// As [`Gpu::room`].
    fn upload(&self, bytes: &[u8]) -> Result<Room>;
}

/// The three directions of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convolution {
    /// y of x and the weight.
    Forward,
    /// The gradient of x, from that of y and the weight.
    InputGradient,
    /// The gradient of the weight, from x and the gradient of y.
    WeightGradient,
}

/// A buffer on the GPU, which is given back when this is dropped, once what was launched before has ended.
pub struct Room {
    address: u64,
    _owner: Box<dyn Any>,
}

impl Room {
    /// The buffer at an address, which lives as long as its owner.
    pub fn new(address: u64, owner: impl Any) -> Self {
        Self { address, _owner: Box::new(owner) }
    }

    /// The address at which the buffer begins.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Its f32 values.
    pub(crate) fn floats(&self) -> Floats {
        Floats(self.address)
    }

    /// Its f64 values.
    pub(crate) fn doubles(&self) -> Doubles {
        Doubles(self.address)
    }
}

/// The address of f32 values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Floats(pub u64);

impl Floats {
    /// No values, where a kernel accepts none.
    pub const NONE: Self = Self(0);

    pub fn read(self) -> Argument {
        Argument::Floats(self.0)
    }

    pub fn write(self) -> Argument {
        Argument::FloatsOut(self.0)
    }
}

/// The address of f64 values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Doubles(pub u64);

impl Doubles {
    pub fn read(self) -> Argument {
        Argument::Doubles(self.0)
    }

    pub fn write(self) -> Argument {
        Argument::DoublesOut(self.0)
    }
}

/// The address of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub u64);

impl Bytes {
    pub fn read(self) -> Argument {
        Argument::Bytes(self.0)
    }

    pub fn write(self) -> Argument {
        Argument::BytesOut(self.0)
    }
}

/// An argument of a kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Argument {
    /// `const float*`.
    Floats(u64),
    /// `float*`.
    FloatsOut(u64),
    /// `const double*`.
    Doubles(u64),
    /// `double*`.
    DoublesOut(u64),
    /// `const unsigned char*`.
    Bytes(u64),
    /// `unsigned char*`.
    BytesOut(u64),
    /// `const unsigned short*`: bf16 values.
    Bf16(u64),
    /// `unsigned short*`: bf16 values.
    Bf16Out(u64),
    /// `int`.
    Int(i32),
    /// `float`.
    Float(f32),
    /// `double`.
    Double(f64),
    /// `ConvSizes`, by value.
    Conv(ConvSizes),
    /// `const AdamTensor*`.
    Adam(u64),
    /// `const EmaTensor*`.
    Ema(u64),
}

impl Argument {
    /// The letter of its type in the emulation's table.
    pub fn letter(&self) -> char {
        match self {
            Self::Floats(_) => 'f',
            Self::FloatsOut(_) => 'F',
            Self::Doubles(_) => 'd',
            Self::DoublesOut(_) => 'D',
            Self::Bytes(_) => 'b',
            Self::BytesOut(_) => 'B',
            Self::Bf16(_) => 'h',
            Self::Bf16Out(_) => 'H',
            Self::Int(_) => 'i',
            Self::Float(_) => 's',
            Self::Double(_) => 'r',
            Self::Conv(_) => 'c',
            Self::Adam(_) => 'a',
            Self::Ema(_) => 'e',
        }
    }
}

/// The sizes of a convolution as kernels take them: n, ci, h, w, co, kh, kw, ho, wo, stride, pad_h, pad_w.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ConvSizes(pub [i32; 12]);

/// One start of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// The kernel's name.
    pub kernel: &'static str,
    /// Blocks along x, y and z, each at least 1.
    pub grid: [u32; 3],
    /// Threads of a block, along x.
    pub threads: u32,
    /// The arguments, in the kernel's order.
    pub arguments: Vec<Argument>,
}

/// Threads of every block: all kernels are bounded to as many.
const THREADS: usize = 256;

/// Blocks along x of a loop over elements; more work is strided over.
const MOST_BLOCKS: usize = 4096;

/// The largest grid along y and z.
const MOST_ROWS: usize = 65_535;

/// Rows and columns of a tile of `tile_product`.
const TILE: usize = 64;

/// A size as an argument. One above 2^30 is an error: kernels find their way in 32 bits.
pub(crate) fn int(size: usize) -> Result<Argument> {
    Ok(Argument::Int(narrow(size)?))
}

/// A flag as an argument.
pub(crate) fn flag(set: bool) -> Argument {
    Argument::Int(i32::from(set))
}

pub(crate) fn narrow(size: usize) -> Result<i32> {
    const MOST: usize = 1 << 30;
    match i32::try_from(size) {
        Ok(narrow) if size <= MOST => Ok(narrow),
        _ => bail!("CUDA kernels take tensors of at most {MOST} elements, found a size of {size}"),
    }
}

fn start(
    gpu: &dyn Gpu,
    kernel: &'static str,
    grid: [usize; 3],
    arguments: &[&[Argument]],
) -> Result<()> {
    let grid = grid.map(|blocks| blocks.max(1) as u32);
    gpu.launch(&Launch { kernel, grid, threads: THREADS as u32, arguments: arguments.concat() })
}

/// A kernel that strides over `count` elements.
pub(crate) fn over_elements(
    gpu: &dyn Gpu,
    kernel: &'static str,
    count: usize,
    arguments: &[&[Argument]],
) -> Result<()> {
    narrow(count)?;
    start(gpu, kernel, [blocks_of(count), 1, 1], arguments)
}

/// Blocks of a loop over `count` elements.
pub(crate) fn blocks_of(count: usize) -> usize {
    count.div_ceil(THREADS).clamp(1, MOST_BLOCKS)
}

/// A kernel that strides over `planes` along y, and over the pixels of each along x.
pub(crate) fn over_planes(
    gpu: &dyn Gpu,
    kernel: &'static str,
    (planes, pixels): (usize, usize),
    arguments: &[&[Argument]],
) -> Result<()> {
    narrow(planes * pixels)?;
    start(gpu, kernel, [blocks_of(pixels), planes.min(MOST_ROWS), 1], arguments)
}

/// A kernel with a block for each of `groups`, striding.
pub(crate) fn over_groups(
    gpu: &dyn Gpu,
    kernel: &'static str,
    groups: usize,
    arguments: &[&[Argument]],
) -> Result<()> {
    start(gpu, kernel, [groups.min(MOST_ROWS), 1, 1], arguments)
}

/// A tiled product of `rows` x `columns`, in `parts` shares of its sums along z.
pub(crate) fn over_tiles(
    gpu: &dyn Gpu,
    kernel: &'static str,
    (rows, columns, parts): (usize, usize, usize),
    arguments: &[&[Argument]],
) -> Result<()> {
    let (down, across) = (rows.div_ceil(TILE), columns.div_ceil(TILE));
    if down > MOST_ROWS {
        bail!("{kernel}: expected at most {} rows, found {rows}", MOST_ROWS * TILE);
    }
    narrow(rows * columns)?;
    start(gpu, kernel, [across, down, parts], arguments)
}

/// Into how many shares the sums of a tiled product are cut: enough blocks to fill a GPU, and no share too short to
/// be worth one. By the sizes alone, as bits depend on it.
pub(crate) fn shares(rows: usize, columns: usize, depth: usize) -> usize {
    const BLOCKS: usize = 512;
    const SHORTEST: usize = 256;
    let tiles = rows.div_ceil(TILE) * columns.div_ceil(TILE);
    (BLOCKS / tiles.max(1)).min(depth / SHORTEST).clamp(1, 64)
}

/// A kernel over a list of tensors along y, and the elements of each along x.
pub(crate) fn over_list(
    gpu: &dyn Gpu,
    kernel: &'static str,
    (tensors, longest): (usize, usize),
    arguments: &[&[Argument]],
) -> Result<()> {
    if tensors > MOST_ROWS {
        bail!("{kernel}: expected at most {MOST_ROWS} tensors in one launch, found {tensors}");
    }
    narrow(longest)?;
    start(gpu, kernel, [blocks_of(longest), tensors, 1], arguments)
}
