//! This module draws small numbers from a random stream.
//!
//! It does so itself, on raw 32- and 64-bit words, so that the embedded dataset and the order of batches stay the same
//! bits across platforms and across releases of `rand`.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The stream `stream` of the generator keyed by `(domain, seed, salt)`.
///
/// `domain` (at most 16 bytes are used) keeps the purposes apart, so that the same seed gives
/// unrelated streams to the dataset and to the batches.
pub(crate) fn keyed(domain: &[u8], seed: u64, salt: u64, stream: u64) -> ChaCha8Rng {
    let mut key = [0u8; 32];
    let used = domain.len().min(16);
    key[..used].copy_from_slice(&domain[..used]);
    key[16..24].copy_from_slice(&seed.to_le_bytes());
    key[24..].copy_from_slice(&salt.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(stream);
    rng
}

/// An integer in `0..bound` (0 when `bound` is 0); the bias is below `bound / 2^64`.
pub(crate) fn below(rng: &mut impl Rng, bound: usize) -> usize {
    let wide = u128::from(rng.next_u64()) * bound as u128;
    (wide >> 64) as usize
}

/// A number in `[low, high)`, from 24 random bits.
pub(crate) fn between(rng: &mut impl Rng, low: f32, high: f32) -> f32 {
    low + (high - low) * ((rng.next_u32() >> 8) as f32 / 16_777_216.0)
}

/// Fisher-Yates shuffle.
pub(crate) fn shuffle<T>(rng: &mut impl Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(rng, last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_in_every_part_of_the_key() {
        let first = |d: &[u8], a, b, c| keyed(d, a, b, c).next_u64();
        let base = first(b"x", 1, 2, 3);
        assert_eq!(base, first(b"x", 1, 2, 3));
        for other in
            [first(b"y", 1, 2, 3), first(b"x", 0, 2, 3), first(b"x", 1, 0, 3), first(b"x", 1, 2, 0)]
        {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn draws_stay_in_range_and_reach_both_ends() {
        let mut rng = keyed(b"range", 0, 0, 0);
        let mut seen = [0usize; 5];
        for _ in 0..1000 {
            seen[below(&mut rng, 5)] += 1;
            let x = between(&mut rng, -2.0, 3.0);
            assert!((-2.0..3.0).contains(&x));
        }
        assert!(seen.iter().all(|&n| (130..270).contains(&n)), "{seen:?}");
        assert_eq!(below(&mut rng, 0), 0);
        assert_eq!(below(&mut rng, 1), 0);
    }

    #[test]
    fn shuffle_is_a_permutation_that_moves_things() {
        let mut items: Vec<u32> = (0..100).collect();
        shuffle(&mut keyed(b"shuffle", 0, 0, 0), &mut items);
        assert!(items.iter().enumerate().filter(|(i, v)| *i as u32 == **v).count() < 10);
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
