//! [`RandomState`] draws what NumPy's legacy `RandomState` draws: MT19937 with the bounded draws of `permutation`,
//! `shuffle` and `choice`, so that shuffles and subsets are those of the Python scorers.
//!
//! Source: M. Matsumoto and T. Nishimura, *Mersenne Twister* (1998), and the documented behaviour
//! of `numpy.random.RandomState`: a bounded integer is drawn by masking and rejection.

use crate::{Error, Result};

const N: usize = 624;
const M: usize = 397;

/// The generator behind `numpy.random.RandomState(seed)`.
#[derive(Debug, Clone)]
pub struct RandomState {
    state: [u32; N],
    next: usize,
}

impl RandomState {
    /// The generator in the state in which `numpy.random.RandomState(seed)` begins, for an integer seed.
    pub fn new(seed: u32) -> Self {
        let mut state = [0u32; N];
        let mut value = seed;
        for (i, slot) in state.iter_mut().enumerate() {
            *slot = value;
            value = 1_812_433_253u32.wrapping_mul(value ^ (value >> 30)).wrapping_add(i as u32 + 1);
        }
        Self { state, next: N }
    }

    fn refill(&mut self) {
        for i in 0..N {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
            let magic = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ magic;
        }
        self.next = 0;
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next == N {
            self.refill();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// A uniform integer in `0..=max`, by masked rejection as `RandomState` draws it.
    pub fn interval(&mut self, max: u64) -> u64 {
        if max == 0 {
            return 0;
        }
        let mask = u64::MAX >> max.leading_zeros();
        loop {
            let bits = if max <= u64::from(u32::MAX) {
                u64::from(self.next_u32())
            } else {
                (u64::from(self.next_u32()) << 32) | u64::from(self.next_u32())
            };
            if bits & mask <= max {
                return bits & mask;
            }
        }
    }

    /// Shuffles as `RandomState.shuffle` does.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.interval(i as u64) as usize);
        }
    }

    /// Draws what `RandomState.permutation(n)` draws.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut items: Vec<usize> = (0..n).collect();
        self.shuffle(&mut items);
        items
    }

    /// Draws what `RandomState.choice(n, size, replace=False)` draws.
    ///
    /// # Errors
    /// [`Error::Config`] when `size` is above `n`.
    pub fn choice(&mut self, n: usize, size: usize) -> Result<Vec<usize>> {
        if size > n {
            let what = "size of a choice without replacement";
            let found = format!("{size} of {n}");
            return Err(Error::config(what, "at most the number of items", found));
        }
        let mut items = self.permutation(n);
        items.truncate(size);
        Ok(items)
    }
}
