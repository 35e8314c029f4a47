//! This module puts CIFAR-10 in the order of its original files, in which published scores take it.
//!
//! The hub's parquet file follows the order of the files inside `cifar-10-python.tar.gz` (batches 4, 3, 2, 5, 1). The
//! published values depend on the order, as they pick images by their index.

use anyhow::{bail, ensure};
use autogan_data::Images;

/// Images in each of the original files.
const BATCH: usize = 10_000;

/// Labels at the start of `data_batch_1`.
const TRAIN: [u8; 10] = [6, 9, 9, 4, 1, 1, 2, 7, 8, 3];

/// Labels at the start of `test_batch`.
const TEST: [u8; 10] = [3, 8, 8, 0, 6, 6, 1, 6, 3, 1];

/// Place of the batches 1 to 5 in the order of the archive.
const ARCHIVE: [usize; 5] = [4, 2, 1, 0, 3];

/// The places of the batches 1 to 5 in `labels`, the labels of all images.
fn batches(labels: &[u8]) -> anyhow::Result<[usize; 5]> {
    ensure!(
        labels.len() == 5 * BATCH,
        "expected the 50000 training images of CIFAR-10, found {}",
        labels.len()
    );
    let first = labels.chunks_exact(BATCH).position(|batch| batch.starts_with(&TRAIN));
    match first {
        Some(0) => Ok([0, 1, 2, 3, 4]),
        Some(4) => Ok(ARCHIVE),
        _ => bail!(
            "these are not the original training images of CIFAR-10, or not in their order: no file begins with the \
             labels {TRAIN:?}; unpack cifar-10-binary.tar.gz or cifar-10-python.tar.gz and give its directory"
        ),
    }
}

/// The training images `[50000, 3, 32, 32]` in the original order.
pub fn train(images: &Images) -> anyhow::Result<Vec<u8>> {
    let length = BATCH * images.image_len();
    let order = batches(images.labels().unwrap_or_default())?;
    let parts: Vec<&[u8]> = images.data().chunks_exact(length).collect();
    Ok(order.into_iter().flat_map(|place| parts[place].iter().copied()).collect())
}

/// The test images `[10000, 3, 32, 32]`, which lie in one file.
pub fn test(images: &Images) -> anyhow::Result<Vec<u8>> {
    let labels = images.labels().unwrap_or_default();
    ensure!(
        labels.len() == BATCH && labels.starts_with(&TEST),
        "these are not the original test images of CIFAR-10 in their order: expected {BATCH} that begin with the labels \
         {TEST:?}, found {} that begin with {:?}",
        labels.len(),
        &labels[..labels.len().min(TEST.len())]
    );
    Ok(images.data().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One-pixel images whose labels begin a file at `place`, and whose pixels tell the file.
    fn images(place: usize) -> Images {
        let mut labels = vec![0u8; 5 * BATCH];
        labels[place * BATCH..][..TRAIN.len()].copy_from_slice(&TRAIN);
        let data = (0..5).flat_map(|batch| vec![batch; 3 * BATCH]).collect();
        Images::new("cifar10", 1, data, Some(labels), vec!["class".to_string(); 10]).unwrap()
    }

    fn starts(data: &[u8]) -> Vec<u8> {
        data.chunks_exact(3 * BATCH).map(|batch| batch[0]).collect()
    }

    #[test]
    fn both_orders_end_as_the_original_one() {
        assert_eq!(starts(&train(&images(0)).unwrap()), [0, 1, 2, 3, 4]);
        // In the archive the batches are 4, 3, 2, 5, 1.
        assert_eq!(starts(&train(&images(4)).unwrap()), [4, 2, 1, 0, 3]);
        let error = train(&images(2)).unwrap_err().to_string();
        assert!(error.contains("not in their order"), "{error}");
    }

    #[test]
    fn other_sets_are_refused() {
        let few = Images::new("cifar10", 1, vec![0; 30], Some(vec![0; 10]), vec!["c".into()]);
        let few = few.unwrap();
        assert!(train(&few).unwrap_err().to_string().contains("found 10"));
        assert!(test(&few).unwrap_err().to_string().contains("found 10 that begin with"));
    }
}
