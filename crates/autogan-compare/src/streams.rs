//! These streams of random numbers are those of a seed's world. Strategies draw from stream 0 of the same seed; what a world
//! draws must not depend on what they draw.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The first of the streams.
const FIRST: u64 = 1 << 63;

/// The stream of what is drawn once for the whole world.
pub(crate) const WHOLE: u64 = 0;
/// The first of the streams of single points.
pub(crate) const POINTS: u64 = 1;

/// The `which`-th stream of the world of a seed.
pub(crate) fn stream(seed: u64, which: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(FIRST + which);
    rng
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn streams_differ_from_each_other_and_from_that_of_strategies() {
        let mut first: Vec<u64> =
            [WHOLE, POINTS, POINTS + 1].map(|which| stream(7, which).next_u64()).to_vec();
        first.push(ChaCha8Rng::seed_from_u64(7).next_u64());
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), 4);
    }
}
