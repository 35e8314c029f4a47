//! [`ChildScorer`] scores children of the supernet: recalibrated statistics, images, scores (section 3.3.2).
//!
//! The cells before the last one are those of a beam entry. Their batch-norm statistics depend on the entry alone,
//! so they are collected once per entry on latents that belong to it; children of one entry that are scored
//! together also share the activations of those cells.

use std::collections::BTreeMap;

use autogan_nn::{BatchNormStats, Generator, NormMode, Trace};
use autogan_rl::{Reward, RewardValue};
use autogan_space::Arch;
use candle_core::{Device, Tensor};

use crate::config::RewardConfig;
use crate::error::{Result, SearchError};
use crate::images::to_u8;
use crate::score::ImageScore;
use crate::streams::Streams;

/// Scores children of a generator.
pub(crate) struct ChildScorer<'a> {
    pub generator: &'a Generator,
    pub config: &'a RewardConfig,
    pub score: &'a dyn ImageScore,
    pub streams: Streams,
    pub device: &'a Device,
    /// Statistics of the fixed cells of beam entries; valid for the present weights.
    pub prefixes: &'a mut BTreeMap<String, BatchNormStats>,
    /// The latents that all children are scored on.
    pub latents: Latents<'a>,
    /// The number of latents, and so of images.
    pub images: usize,
}

/// The name and position of the latents that children are scored on.
#[derive(Clone, Copy)]
pub(crate) struct Latents<'a> {
    pub name: &'a str,
    pub index: u64,
}

impl Reward for ChildScorer<'_> {
    type Error = SearchError;

    fn reward(&mut self, arch: &Arch) -> Result<RewardValue> {
        Ok(self.score_group(&[arch])?[0])
    }

    /// Scores children of one stage; those of one beam entry are scored together.
    fn rewards(&mut self, archs: &[Arch]) -> Result<Vec<RewardValue>> {
        let mut rewards = vec![RewardValue::exact(0.0); archs.len()];
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (i, arch) in archs.iter().enumerate() {
            groups.entry(prefix_name(arch)).or_default().push(i);
        }
        for members in groups.values() {
            let group: Vec<&Arch> = members.iter().map(|&i| &archs[i]).collect();
            for (&i, reward) in members.iter().zip(self.score_group(&group)?) {
                rewards[i] = reward;
            }
        }
        Ok(rewards)
    }
}

impl ChildScorer<'_> {
    /// Images of one child, u8 `[images, 3, side, side]`, on the latents.
    pub fn samples(&mut self, arch: &Arch) -> Result<Tensor> {
        let stats = self.statistics(&[arch])?;
        let z = self.draw(self.latents, self.images)?;
        let trace = self.prefix(&z, arch, self.mode(&stats[0]))?;
        to_u8(&self.finish(trace, arch, self.mode(&stats[0]))?)
    }

    /// Scores children that have the same cells before their last.
    fn score_group(&mut self, archs: &[&Arch]) -> Result<Vec<RewardValue>> {
        let images = self.images;
        let stats = self.statistics(archs)?;
        let z = self.draw(self.latents, images)?;
        let mut made: Vec<Vec<Tensor>> = archs.iter().map(|_| Vec::new()).collect();
        for start in (0..images).step_by(self.config.batch) {
            let z = z.narrow(0, start, self.config.batch.min(images - start))?;
            // The fixed cells' statistics are the same in every member of the group.
            let trace = self.prefix(&z, archs[0], self.mode(&stats[0]))?;
            for ((arch, stats), made) in archs.iter().zip(&stats).zip(&mut made) {
                made.push(to_u8(&self.finish(trace.clone(), arch, self.mode(stats))?)?);
            }
        }
        made.iter().map(|batches| self.score.score(&Tensor::cat(batches, 0)?)).collect()
    }

    fn draw(&self, latents: Latents<'_>, n: usize) -> Result<Tensor> {
        let sizes = (n, self.generator.config().latent);
        self.streams.latents(latents.name, latents.index, sizes, self.device)
    }

    fn mode<'s>(&self, stats: &'s BatchNormStats) -> NormMode<'s> {
        if self.config.recalibrate_batches == 0 {
            NormMode::Running
        } else {
            NormMode::Fixed(stats)
        }
    }

    /// Runs the stem and all cells but the last.
    fn prefix(&self, z: &Tensor, arch: &Arch, mode: NormMode<'_>) -> Result<Trace> {
        let mut trace = self.generator.stem_frozen(z)?;
        for (i, cell) in arch.cells().iter().enumerate().take(arch.stage()) {
            self.generator.cell(&mut trace, i, cell, mode)?;
        }
        Ok(trace)
    }

    /// Runs the last cell and the head.
    fn finish(&self, mut trace: Trace, arch: &Arch, mode: NormMode<'_>) -> Result<Tensor> {
        let last = arch.stage();
        self.generator.cell(&mut trace, last, &arch.cells()[last], mode)?;
        Ok(self.generator.head(&trace, mode)?)
    }

    /// Recalibrated statistics of children that share their first cells.
    fn statistics(&mut self, archs: &[&Arch]) -> Result<Vec<BatchNormStats>> {
        let children: Vec<BatchNormStats> = archs.iter().map(|_| BatchNormStats::new()).collect();
        let (batches, n) = (self.config.recalibrate_batches, self.config.recalibrate_batch);
        if batches == 0 {
            return Ok(children);
        }
        let name = prefix_name(archs[0]);
        let stream = format!("recalibrate.{name}");
        let latents = |batch: usize| Latents { name: &stream, index: batch as u64 };
        if !self.prefixes.contains_key(&name) {
            let stats = BatchNormStats::new();
            for batch in 0..batches {
                self.prefix(&self.draw(latents(batch), n)?, archs[0], NormMode::Collect(&stats))?;
            }
            self.prefixes.insert(name.clone(), stats);
        }
        let fixed = &self.prefixes[&name];
        for batch in 0..batches {
            let z = self.draw(latents(batch), n)?;
            let trace = self.prefix(&z, archs[0], NormMode::Fixed(fixed))?;
            for (arch, child) in archs.iter().zip(&children) {
                self.finish(trace.clone(), arch, NormMode::Collect(child))?;
            }
        }
        Ok(children.iter().map(|child| fixed.merge(child)).collect())
    }
}

/// The cells before the last, as a key and as part of a stream's name; empty at stage 0.
fn prefix_name(arch: &Arch) -> String {
    if arch.stage() == 0 { String::new() } else { arch.prefix(arch.stage()).to_string() }
}
