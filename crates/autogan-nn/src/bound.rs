//! Bound networks are candle modules: all arguments of the network but one are settled.

use autogan_space::Arch;
use candle_core::{Module, Tensor};

use crate::{DMode, Discriminator, Generator, Grad, NormMode};

/// A generator with an architecture and a mode, from [`Generator::bind`]: latents `[N, latent]` to images
/// `[N, 3, S, S]` in [-1, 1].
#[derive(Debug, Clone, Copy)]
pub struct BoundGenerator<'a> {
    pub(crate) generator: &'a Generator,
    pub(crate) arch: &'a Arch,
    pub(crate) mode: NormMode<'a>,
    pub(crate) grad: Grad,
}

impl BoundGenerator<'_> {
    /// The same module with the parameters as constants, as for images that are only looked at or scored.
    #[must_use]
    pub fn frozen(self) -> Self {
        Self { grad: Grad::Frozen, ..self }
    }
}

impl Module for BoundGenerator<'_> {
    fn forward(&self, z: &Tensor) -> candle_core::Result<Tensor> {
        Ok(self.generator.pass(z, self.arch, self.mode, self.grad)?)
    }
}

/// A discriminator at a stage with a mode, from [`Discriminator::at`]: images `[N, 3, S, S]` to scores `[N, 1]`.
#[derive(Debug, Clone, Copy)]
pub struct BoundDiscriminator<'a> {
    pub(crate) discriminator: &'a Discriminator,
    pub(crate) stage: usize,
    pub(crate) mode: DMode,
    pub(crate) grad: Grad,
}

impl BoundDiscriminator<'_> {
    /// The same module with the parameters as constants, as for the generator's step: gradients still pass through to
    /// the images.
    #[must_use]
    pub fn frozen(self) -> Self {
        Self { grad: Grad::Frozen, ..self }
    }
}

impl Module for BoundDiscriminator<'_> {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        Ok(self.discriminator.pass(x, self.stage, self.mode, self.grad)?)
    }
}
