//! Which statistics batch norm uses, and the recalibrated statistics of one child of the supernet.
//!
//! In a supernet the running statistics are mixed over every architecture that was trained. Before
//! a child is scored, its own are collected over some batches, each layer normalising by its batch,
//! and then kept fixed. The statistics of earlier, fixed cells depend on the beam entry alone:
//! collect them once and [`BatchNormStats::merge`] them into those of each child.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::params::{Params, write};
use crate::{NnError, Result};

/// Which statistics batch norm normalises by.
#[derive(Debug, Clone, Copy)]
pub enum NormMode<'a> {
    /// The batch's own; the running statistics move towards them.
    Train,
    /// The stored running statistics.
    Running,
    /// The batch's own, which are also added to these; the running statistics stay as they are.
    Collect(&'a BatchNormStats),
    /// These.
    Fixed(&'a BatchNormStats),
}

/// Mean and unbiased variance per channel, averaged over the collected batches.
#[derive(Debug, Clone)]
struct Entry {
    batches: u64,
    mean: Vec<f64>,
    var: Vec<f64>,
}

/// Recalibrated batch-norm statistics, by the names of the batch norm layers
/// (`cell1.post_conv1.bn`, `to_rgb.0`, …).
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
    /// Statistics of no layer yet.
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
                let name = format!("{layer}.{part}");
                let var = params.get(&name).ok_or(NnError::NotInSource { name })?;
                write(var, values)?;
            }
        }
        Ok(())
    }

    /// Adds the statistics of one batch, `[C]` each.
    pub(crate) fn add(&self, layer: &str, mean: Vec<f64>, unbiased_var: Vec<f64>) {
        let mut layers = self.lock();
        match layers.get_mut(layer) {
            Some(entry) => {
                entry.batches += 1;
                let n = entry.batches as f64;
                for (total, new) in [(&mut entry.mean, mean), (&mut entry.var, unbiased_var)] {
                    total.iter_mut().zip(new).for_each(|(t, x)| *t += (x - *t) / n);
                }
            }
            None => {
                layers.insert(layer.to_owned(), Entry { batches: 1, mean, var: unbiased_var });
            }
        }
    }

    /// Mean and variance of a layer, `[C]` each.
    pub(crate) fn get(&self, layer: &str) -> Result<(Vec<f64>, Vec<f64>)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_plain_means_over_batches() {
        let stats = BatchNormStats::new();
        for (mean, var) in
            [([1.0, 0.0], [2.0, 4.0]), ([2.0, 1.0], [4.0, 4.0]), ([6.0, 5.0], [0.0, 1.0])]
        {
            stats.add("a", mean.to_vec(), var.to_vec());
        }
        assert_eq!(stats.get("a").unwrap(), (vec![3.0, 2.0], vec![2.0, 3.0]));
        assert_eq!(stats.layers(), [("a".to_owned(), 3)]);
    }

    #[test]
    fn merged_statistics_hold_both_and_a_missing_layer_is_named() {
        let (prefix, child) = (BatchNormStats::new(), BatchNormStats::new());
        prefix.add("cell1", vec![1.0], vec![1.0]);
        child.add("cell2", vec![2.0], vec![3.0]);
        let both = prefix.merge(&child);
        assert_eq!(both.layers().len(), 2);
        assert_eq!(prefix.layers().len(), 1, "the prefix stays reusable");
        let error = both.get("to_rgb.0").unwrap_err();
        assert!(error.to_string().contains("to_rgb.0") && error.to_string().contains("cell1"));
    }
}
