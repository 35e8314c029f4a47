//! A [`Batcher`] gives batches of indices: shuffled epochs without replacement, the last short batch kept.
//!
//! The order of an epoch follows from `(seed, epoch)` alone, so a checkpoint needs no state of the batcher: a position
//! is `(epoch, index)` or one running number.

use std::ops::Range;

use crate::draw::{keyed, shuffle};
use crate::error::{DataError, Result};

/// The order in which epoch `epoch` visits `n` images: a permutation of `0..n`.
pub fn epoch_order(n: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    shuffle(&mut keyed(b"autogan epoch", seed, 0, epoch), &mut order);
    order
}

/// Gives batches of indices into a set of `n` images. It keeps nothing but the order of the epoch last asked for, as a
/// cache.
#[derive(Debug, Clone)]
pub struct Batcher {
    n: usize,
    batch: usize,
    seed: u64,
    cached: Option<(u64, Vec<usize>)>,
}

impl Batcher {
    /// Makes batches of `batch` out of `n` images, in orders drawn from `seed`.
    ///
    /// # Errors
    /// When `n` or `batch` is 0.
    pub fn new(n: usize, batch: usize, seed: u64) -> Result<Self> {
        if n == 0 || batch == 0 {
            let found = format!("{n} images in batches of {batch}");
            let expected = "at least one image and a batch of at least 1";
            return Err(DataError::mismatch("batches", expected, found));
        }
        Ok(Self { n, batch, seed, cached: None })
    }

    /// Batches in an epoch, the last of which may be short.
    pub fn batches_per_epoch(&self) -> usize {
        self.n.div_ceil(self.batch)
    }

    /// The `(epoch, index)` of the batch number `step`, counted from 0 over all epochs.
    pub fn position(&self, step: u64) -> (u64, usize) {
        let per_epoch = self.batches_per_epoch() as u64;
        (step / per_epoch, (step % per_epoch) as usize)
    }

    /// Batch `index` of epoch `epoch`: `batch` indices, fewer in the last batch of the epoch.
    ///
    /// # Errors
    /// When `index` is not below [`batches_per_epoch`](Self::batches_per_epoch).
    pub fn indices(&mut self, epoch: u64, index: usize) -> Result<&[usize]> {
        if index >= self.batches_per_epoch() {
            let expected = format!("below {}", self.batches_per_epoch());
            return Err(DataError::mismatch("batch index", expected, index.to_string()));
        }
        let range = self.range(index);
        Ok(&self.order(epoch)[range])
    }

    /// Batch number `step`, counted from 0 over all epochs; never ends.
    pub fn at(&mut self, step: u64) -> &[usize] {
        let (epoch, index) = self.position(step);
        let range = self.range(index);
        &self.order(epoch)[range]
    }

    fn range(&self, index: usize) -> Range<usize> {
        let start = index * self.batch;
        start..(start + self.batch).min(self.n)
    }

    fn order(&mut self, epoch: u64) -> &[usize] {
        let order = match self.cached.take() {
            Some((held, order)) if held == epoch => order,
            _ => epoch_order(self.n, self.seed, epoch),
        };
        &self.cached.insert((epoch, order)).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_epoch_visits_every_image_once(
            n in 1usize..200, batch in 1usize..70, seed: u64, epoch: u64,
        ) {
            let mut batcher = Batcher::new(n, batch, seed).unwrap();
            let count = batcher.batches_per_epoch();
            let mut seen = Vec::new();
            for index in 0..count {
                let got = batcher.indices(epoch, index).unwrap();
                let want = if index + 1 == count { n - batch * (count - 1) } else { batch };
                prop_assert_eq!(got.len(), want);
                seen.extend_from_slice(got);
            }
            prop_assert!(batcher.indices(epoch, count).is_err());
            prop_assert_eq!(&seen, &epoch_order(n, seed, epoch));
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..n).collect::<Vec<_>>());
        }

        #[test]
        fn the_running_number_needs_no_history(step in 0u64..5000, seed: u64) {
            let mut fresh = Batcher::new(37, 8, seed).unwrap();
            let mut used = fresh.clone();
            used.at(step / 2);
            let (epoch, index) = fresh.position(step);
            prop_assert_eq!(epoch * 5 + index as u64, step);
            let want = used.indices(epoch, index).unwrap().to_vec();
            prop_assert_eq!(fresh.at(step), &want[..]);
        }
    }

    #[test]
    fn order_depends_on_seed_and_epoch() {
        let base = epoch_order(50, 1, 0);
        assert_eq!(base, epoch_order(50, 1, 0));
        assert_ne!(base, epoch_order(50, 2, 0));
        assert_ne!(base, epoch_order(50, 1, 1));
        assert_ne!(base, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_to_deal_is_an_error() {
        assert!(Batcher::new(0, 4, 0).is_err());
        let error = Batcher::new(4, 0, 0).unwrap_err().to_string();
        assert!(error.contains("4 images in batches of 0"), "{error}");
    }
}
