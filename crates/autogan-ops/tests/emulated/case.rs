//! What the tests of single kernels add to a random case: memory as on a GPU, launches, and comparison.

use autogan_testing::kernels::{self, Argument, sanitized};
use candle_core::{Device, Result, Shape, Tensor, Var};
use rand::RngExt;

pub use crate::cases::draw::Case;

/// The number of cases of each test.
pub const CASES: u64 = 200;

/// The number of elements before and after each piece of memory that no kernel may touch. Sanitizers watch the ends
/// themselves.
const GUARD: usize = 64;

/// Runs `f` on [`CASES`] cases, each with its own seed.
pub fn cases(f: impl Fn(&mut Case)) {
    for seed in 0..CASES {
        f(&mut Case::new(seed));
    }
}

impl Case {
    /// Memory that holds `data`, sometimes not at a vector's boundary.
    pub fn memory<T: Element>(&mut self, data: &[T]) -> Memory<T> {
        let shift = self.pick(&[0, 0, 0, 1, 2, 3]);
        let (before, behind) = if sanitized() { (0, 0) } else { (GUARD + shift, GUARD) };
        let mut all = vec![T::GUARD; before + data.len() + behind];
        all[before..before + data.len()].copy_from_slice(data);
        Memory { all, before, len: data.len() }
    }

    /// Memory that no kernel has written yet.
    pub fn fresh<T: Element>(&mut self, len: usize) -> Memory<T> {
        self.memory(&vec![T::GUARD; len])
    }

    /// A small one-dimensional grid.
    pub fn grid(&mut self) -> [u32; 3] {
        [self.rng.random_range(1..=4), 1, 1]
    }

    /// A grid whose second dimension strides over planes.
    pub fn grid_of_planes(&mut self) -> [u32; 3] {
        [self.rng.random_range(1..=3), self.rng.random_range(1..=3), 1]
    }

    /// A number of threads that is a multiple of a warp.
    pub fn block(&mut self) -> u32 {
        self.pick(&[32, 32, 64, 96, 256])
    }

    /// Runs a kernel with one-dimensional blocks.
    #[track_caller]
    pub fn launch(&self, name: &str, grid: [u32; 3], threads: u32, arguments: &[Argument]) {
        let error = kernels::launch(name, grid, threads, arguments, self.seed as u32);
        assert_eq!(error.as_deref(), None, "{name}, case {}", self.seed);
    }

    /// Panics unless every element lies within `tolerance` of what is expected, relative to one and to itself.
    #[track_caller]
    pub fn close<T: Element>(
        &self,
        what: &str,
        found: &Memory<T>,
        expected: &[f64],
        tolerance: f64,
    ) {
        let found = found.read();
        assert_eq!(found.len(), expected.len(), "{what}, case {}", self.seed);
        for (i, (x, y)) in found.iter().zip(expected).enumerate() {
            let x = x.to_f64();
            assert!(
                (x - y).abs() <= tolerance * (1.0 + y.abs()),
                "{what}, case {}: element {i} of {} is {x}, expected {y}",
                self.seed,
                expected.len()
            );
        }
    }
}

/// An element of a kernel's memory.
pub trait Element: Copy + PartialEq + std::fmt::Debug {
    /// A value that does not occur otherwise, so that a kernel that reads it is noticed.
    const GUARD: Self;
    /// The letter of a pointer to constants, and of one to variables.
    const LETTERS: (char, char);
    fn to_f64(self) -> f64;
    /// Whether both have the same bits.
    fn same(self, other: Self) -> bool;
}

impl Element for f32 {
    const GUARD: f32 = f32::NAN;
    const LETTERS: (char, char) = ('f', 'F');
    fn to_f64(self) -> f64 {
        self.into()
    }
    fn same(self, other: f32) -> bool {
        self.to_bits() == other.to_bits()
    }
}

impl Element for f64 {
    const GUARD: f64 = f64::NAN;
    const LETTERS: (char, char) = ('d', 'D');
    fn to_f64(self) -> f64 {
        self
    }
    fn same(self, other: f64) -> bool {
        self.to_bits() == other.to_bits()
    }
}

impl Element for u8 {
    const GUARD: u8 = 77;
    const LETTERS: (char, char) = ('b', 'B');
    fn to_f64(self) -> f64 {
        self.into()
    }
    fn same(self, other: u8) -> bool {
        self == other
    }
}

/// A bf16 value: the upper half of a float.
impl Element for u16 {
    const GUARD: u16 = u16::MAX;
    const LETTERS: (char, char) = ('h', 'H');
    fn to_f64(self) -> f64 {
        f32::from_bits(u32::from(self) << 16).into()
    }
    fn same(self, other: u16) -> bool {
        self == other
    }
}

/// Memory that kernels read and write, between guards.
pub struct Memory<T> {
    all: Vec<T>,
    before: usize,
    len: usize,
}

impl<T: Element> Memory<T> {
    /// The memory as an argument that a kernel only reads.
    pub fn input(&self) -> Argument {
        Argument::pointer(T::LETTERS.0, self.all[self.before..].as_ptr().cast())
    }

    /// The memory as an argument that a kernel writes.
    pub fn output(&mut self) -> Argument {
        Argument::pointer(T::LETTERS.1, self.start().cast_const().cast())
    }

    /// The address of the first element.
    pub fn start(&mut self) -> *mut T {
        self.all[self.before..].as_mut_ptr()
    }

    /// The elements; panics if a guard was overwritten.
    #[track_caller]
    pub fn read(&self) -> &[T] {
        let (before, rest) = self.all.split_at(self.before);
        let (data, behind) = rest.split_at(self.len);
        for guard in [before, behind] {
            assert!(guard.iter().all(|v| v.same(T::GUARD)), "a kernel wrote outside of its memory");
        }
        data
    }
}

/// An f64 tensor of f32 values, for the operators that give the expected values.
pub fn tensor(data: &[f32], shape: impl Into<Shape>) -> Tensor {
    let data: Vec<f64> = data.iter().map(|&v| v.into()).collect();
    Tensor::from_vec(data, shape.into(), &Device::Cpu).unwrap()
}

/// An f64 vector.
pub fn vector(data: &[f64]) -> Tensor {
    Tensor::new(data, &Device::Cpu).unwrap()
}

/// The elements of an f64 tensor.
pub fn values(t: &Tensor) -> Vec<f64> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

/// The operator's output, and the gradients of all inputs when `dy` is the gradient of the output. `dy` has as many
/// elements as the output.
pub fn both_ways(
    inputs: &[Tensor],
    dy: &[f32],
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
) -> (Vec<f64>, Vec<Vec<f64>>) {
    let vars: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(t).unwrap()).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let y = f(&tensors).unwrap();
    let weights = tensor(dy, y.shape().clone());
    let grads = y.mul(&weights).unwrap().sum_all().unwrap().backward().unwrap();
    let of = |v: &Var| values(grads.get(v).expect("the operator has a gradient"));
    (values(&y), vars.iter().map(of).collect())
}
