//! [`NormMode`] says which statistics batch norm uses; [`BatchNormStats`] are those of one architecture.
//!
//! In a supernet the running statistics are a mixture over every architecture that was trained. Before
//! an architecture is scored, its own statistics are collected over some batches, while each layer
//! normalises by its batch; then they stay fixed. Architectures that begin with the same cells share the
//! statistics of these cells: collect them once and [`BatchNormStats::merge`] them into those of each.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use autogan_weights::{Params, assign};
use candle_core::Tensor;

use crate::{NnError, Result};

/// The statistics that batch norm normalises by.
#[derive(Debug, Clone, Copy)]
pub enum NormMode<'a> {
    /// The statistics of the batch; the running statistics move towards them.
    Train,
    /// The stored running statistics.
    Running,
    /// The statistics of the batch, which are added to the given collection; the running statistics stay as they are.
    Collect(&'a BatchNormStats),
    /// The given, collected statistics.
    Fixed(&'a BatchNormStats),
}

/// Mean and unbiased variance per channel, averaged over the collected batches: f64 `[C]`, where the network lies.
/// Nothing changes them in place, so clones may share them.
#[derive(Debug, Clone)]
struct Entry {
    batches: u64,
    mean: Tensor,
    var: Tensor,
}

/// Recalibrated batch-norm statistics, by the names of the batch norm layers (`cell1.post_conv1.bn`, `to_rgb.0`, …).
///
/// Each is the plain mean, over the collected batches, of the batch's mean and of its unbiased
/// variance, kept in f64; this is what PyTorch's running statistics become with `momentum=None`.
#[derive(Debug, Default)]
pub struct BatchNormStats {
    layers: Mutex<BTreeMap<String, Entry>>,
}

impl Clone for BatchNormStats {
    fn clone(&self) -> Self {
        Self { layers: Mutex::new(self.lock().clone()) }
    }
}

impl BatchNormStats {
    /// An empty collection: no layer has statistics.
    pub fn new() -> Self {
        Self::default()
    }

    /// The layers that have statistics, with the number of batches behind each.
    pub fn layers(&self) -> Vec<(String, u64)> {
        self.lock().iter().map(|(name, e)| (name.clone(), e.batches)).collect()
    }

    /// These statistics together with those of other layers; where both have a layer, `other` wins.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let mut layers = self.lock().clone();
        layers.extend(other.lock().iter().map(|(name, e)| (name.clone(), e.clone())));
        Self { layers: Mutex::new(layers) }
    }

    /// Writes the statistics into the running statistics of a network, so that the checkpoint of a
    /// child carries its own.
    ///
    /// # Errors
    /// When the network lacks one of the layers or has it in another size.
    pub fn write_to(&self, params: &Params) -> Result<()> {
        for (layer, entry) in self.lock().iter() {
            for (part, values) in [("running_mean", &entry.mean), ("running_var", &entry.var)] {
                assign(params.require(&format!("{layer}.{part}"))?, values)?;
            }
        }
        Ok(())
    }

    /// Adds the statistics of one batch of `count` values a channel, at least 2: mean and biased variance, f64 `[C]`.
    pub(crate) fn add(&self, layer: &str, mean: Tensor, var: &Tensor, count: usize) -> Result<()> {
        let unbiased = var.affine(count as f64 / (count - 1) as f64, 0.0)?;
        let mut layers = self.lock();
        let entry = match layers.get(layer) {
            Some(Entry { batches, mean: total_mean, var: total_var }) => {
                let batches = batches + 1;
                Entry {
                    batches,
                    mean: mean_over(total_mean, &mean, batches)?,
                    var: mean_over(total_var, &unbiased, batches)?,
                }
            }
            None => Entry { batches: 1, mean, var: unbiased },
        };
        layers.insert(layer.to_owned(), entry);
        Ok(())
    }

    /// Mean and variance of a layer, f64 `[C]` each.
    pub(crate) fn get(&self, layer: &str) -> Result<(Tensor, Tensor)> {
        let layers = self.lock();
        let entry = layers.get(layer).ok_or_else(|| NnError::NoStatistics {
            layer: layer.to_owned(),
            found: layers.keys().cloned().collect(),
        })?;
        Ok((entry.mean.clone(), entry.var.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        // A panic elsewhere leaves the map whole: every change under the lock is complete.
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The mean of `batches` values, from the mean of all but the last value, and the last value.
fn mean_over(total: &Tensor, last: &Tensor, batches: u64) -> Result<Tensor> {
    let batches = Tensor::full(batches as f64, total.shape(), total.device())?;
    Ok(total.add(&last.sub(total)?.div(&batches)?)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn vector(values: &[f64]) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap()
    }

    #[test]
    fn statistics_are_plain_means_over_batches() {
        let stats = BatchNormStats::new();
        // Of three values a channel: a half more of each variance.
        for (mean, var) in
            [([1.0, 0.0], [2.0, 4.0]), ([2.0, 1.0], [4.0, 4.0]), ([6.0, 5.0], [0.0, 1.0])]
        {
            stats.add("a", vector(&mean), &vector(&var), 3).unwrap();
        }
        let (mean, var) = stats.get("a").unwrap();
        assert_eq!(mean.to_vec1::<f64>().unwrap(), [3.0, 2.0]);
        assert_eq!(var.to_vec1::<f64>().unwrap(), [3.0, 4.5]);
        assert_eq!(stats.layers(), [("a".to_owned(), 3)]);
    }

    #[test]
    fn merged_statistics_hold_both_and_a_missing_layer_is_named() {
        let (prefix, child) = (BatchNormStats::new(), BatchNormStats::new());
        prefix.add("cell1", vector(&[1.0]), &vector(&[1.0]), 2).unwrap();
        child.add("cell2", vector(&[2.0]), &vector(&[3.0]), 2).unwrap();
        let both = prefix.merge(&child);
        assert_eq!(both.layers().len(), 2);
        assert_eq!(prefix.layers().len(), 1, "the prefix stays reusable");
        child.add("cell2", vector(&[4.0]), &vector(&[3.0]), 2).unwrap();
        assert_eq!(
            both.get("cell2").unwrap().0.to_vec1::<f64>().unwrap(),
            [2.0],
            "and so does this"
        );
        let error = both.get("to_rgb.0").unwrap_err();
        assert!(error.to_string().contains("to_rgb.0") && error.to_string().contains("cell1"));
    }
}
