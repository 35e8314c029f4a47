//! A training step updates one network once (section 3.3, hinge losses). The search, the training from scratch and the
//! benchmark make the same training steps.

use autogan_nn::{DMode, NormMode, loss};
use autogan_ops::{self as ops, Readback};
use autogan_space::Arch;
use candle_core::Tensor;

use crate::config::{PowerIterations, TrainConfig};
use crate::error::{Result, SearchError};
use crate::networks::Networks;
use crate::streams::Streams;

/// How a training step is made, where it is, and which latents it takes.
pub(crate) struct Step<'a> {
    pub train: &'a TrainConfig,
    pub stage: usize,
    pub iteration: usize,
    pub streams: Streams,
    /// The position of its latents in their streams.
    pub index: u64,
}

impl Networks {
    /// Updates the discriminator on `real` `[N, 3, S, S]` in [-1, 1] and as many fakes; gives the loss before the update.
    pub fn d_step(&mut self, at: &Step<'_>, arch: &Arch, real: &Tensor) -> Result<ComingLoss> {
        // A last batch may be short.
        let z = self.latents(at, "latents.d", real.dim(0)?)?;
        let fake = self.generator.forward_frozen(&z, arch, NormMode::Train)?.detach();
        self.ema.follow_buffers(&self.generator)?;
        let again = match at.train.power_iterations {
            PowerIterations::PerForward => DMode::Train,
            PowerIterations::PerStep => DMode::Eval,
        };
        let discriminator = &self.discriminator;
        let prepared = discriminator.prepare(at.stage, &[DMode::Train, again])?;
        // Both passes at once: while one of them uses one thread alone, the other uses the rest.
        let (of_real, of_fake) = ops::join(
            real,
            || {
                ops::gradients(|| {
                    loss::d_hinge_real(&discriminator.forward_prepared(real, &prepared[0])?)
                })
            },
            || {
                ops::gradients(|| {
                    loss::d_hinge_fake(&discriminator.forward_prepared(&fake, &prepared[1])?)
                })
            },
        );
        let ((real_loss, of_real), (fake_loss, of_fake)) = (of_real?, of_fake?);
        let loss = ops::add(&real_loss, &fake_loss)?;
        let grads = of_fake.plus(of_real)?;
        // ReLU turns NaN into zeros: the losses alone would not show it.
        let value = at.coming(&[
            ("the sum of the generator's images", &fake.sum_all()?),
            ("the discriminator's loss", &loss),
        ])?;
        self.d_adam.step(self.discriminator.params().trainable(), &grads)?;
        Ok(value)
    }

    /// Updates the generator, and its average; gives the loss before the update.
    pub fn g_step(&mut self, at: &Step<'_>, arch: &Arch) -> Result<ComingLoss> {
        let z = self.latents(at, "latents.g", at.train.g_batch)?;
        let (loss, grads) = ops::gradients(|| {
            let fake = self.generator.forward(&z, arch, NormMode::Train)?;
            let scores = self.discriminator.forward_frozen(&fake, at.stage, DMode::Train)?;
            loss::g_hinge(&scores)
        })?;
        let value = at.coming(&[("the generator's loss", &loss)])?;
        self.g_adam.step(self.generator.params().trainable(), &grads)?;
        self.ema.update(&self.generator)?;
        Ok(value)
    }

    /// Latents of `n` images.
    fn latents(&self, at: &Step<'_>, stream: &str, n: usize) -> Result<Tensor> {
        let sizes = (n, self.generator.config().latent);
        at.streams.latents(stream, at.index, sizes, self.generator.params().device())
    }
}

impl Step<'_> {
    /// Asks for numbers that have to be finite, the last of which is the loss.
    fn coming(&self, numbers: &[(&'static str, &Tensor)]) -> Result<ComingLoss> {
        let tensors: Vec<&Tensor> = numbers.iter().map(|(_, tensor)| *tensor).collect();
        Ok(ComingLoss(Numbers::Coming {
            values: Readback::begin(&tensors)?,
            names: numbers.iter().map(|(name, _)| *name).collect(),
            stage: self.stage,
            iteration: self.iteration,
        }))
    }
}

/// The loss of a step that a device may not have worked out yet.
pub struct ComingLoss(Numbers);

enum Numbers {
    Known(f64),
    Coming { values: Readback, names: Vec<&'static str>, stage: usize, iteration: usize },
}

impl ComingLoss {
    /// A loss that was read before.
    pub(crate) fn known(loss: f64) -> Self {
        Self(Numbers::Known(loss))
    }

    /// The loss; waits until the step has been worked out, but for nothing that began after it.
    ///
    /// # Errors
    /// [`SearchError::Diverged`] when it, or what it was made of, is not finite; when the device failed.
    pub fn read(&self) -> Result<f64> {
        let (values, names, stage, iteration) = match &self.0 {
            Numbers::Known(loss) => return Ok(*loss),
            Numbers::Coming { values, names, stage, iteration } => {
                (values.wait()?, names, *stage, *iteration)
            }
        };
        let mut loss = f64::NAN;
        for (&what, value) in names.iter().zip(values) {
            if !value.is_finite() {
                return Err(SearchError::Diverged { what, value, stage, iteration });
            }
            loss = value;
        }
        Ok(loss)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::config::{Configuration, SearchConfig};

    const STAGE: usize = 1;
    const SEED: u64 = 2;

    fn networks(config: &SearchConfig) -> Networks {
        let streams = Streams::new(config.seed);
        Networks::new(&config.model, &config.train, None, streams, &Device::Cpu).unwrap()
    }

    /// Two passes with a tape each are one loss of both, in value and in what Adam is given.
    #[test]
    fn a_d_step_follows_the_gradient_of_the_whole_hinge_loss() {
        let small = ["model.gf=4", "model.df=6", "model.latent=5"].map(str::to_owned);
        let mut config = SearchConfig::preset("quick", &small).unwrap();
        // Of its initial values the hinge is open for both halves; the asserts below see to it.
        config.seed = SEED;
        let normal = |name: &str, shape: &[usize]| {
            let values = Streams::new(3).normal(name, 0, shape.iter().product());
            Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
        };
        let (real, z) = (normal("real", &[3, 3, 16, 16]), normal("latents.d", &[3, 5]));
        let arch = Arch::AUTOGAN_A.prefix(STAGE + 1);

        let mut plain = networks(&config);
        let fake = plain.generator.forward_frozen(&z, &arch, NormMode::Train).unwrap();
        let (loss, grads) = ops::gradients(|| -> Result<_> {
            let pass = |images| plain.discriminator.forward(images, STAGE, DMode::Train);
            let (of_real, of_fake) = (pass(&real)?, pass(&fake)?);
            let scores = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert!(scores(&of_real).iter().any(|s| *s < 1.0), "the real half gives nothing");
            assert!(
                scores(&of_fake).iter().any(|s| *s > -1.0),
                "the half of the fakes gives nothing"
            );
            Ok(loss::d_hinge(&of_real, &of_fake)?)
        })
        .unwrap();
        plain.d_adam.step(plain.discriminator.params().trainable(), &grads).unwrap();

        let mut ours = networks(&config);
        let (train, streams) = (&config.train, Streams::new(3));
        let at = Step { train, stage: STAGE, iteration: 0, streams, index: 0 };
        let found = ours.d_step(&at, &arch, &real).unwrap().read().unwrap();
        let expected = f64::from(loss.to_scalar::<f32>().unwrap());
        assert!((found - expected).abs() < 1e-6 * expected, "{found} {expected}");
        assert_eq!(plain.d_adam.moments().len(), ours.d_adam.moments().len());
        for (name, expected) in plain.d_adam.moments() {
            let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let (found, expected) = (values(&ours.d_adam.moments()[name].m), values(&expected.m));
            let scale = expected.iter().fold(0.0f32, |most, v| most.max(v.abs()));
            assert!(scale > 0.0, "{name} has no gradient");
            for (f, e) in found.iter().zip(&expected) {
                assert!((f - e).abs() <= 1e-4 * scale, "{name}: expected {e}, found {f}");
            }
        }
    }

    /// The released code evaluates the averaged parameters in the trained network, with whatever statistics that has: of
    /// the D steps after the last G step too.
    #[test]
    fn live_buffers_of_the_average_are_those_of_the_generator_after_d_steps_too() {
        let small = ["model.gf=4", "model.df=6", "model.latent=5", "train.ema_buffers=live"];
        let config = SearchConfig::preset("quick", &small.map(str::to_owned)).unwrap();
        let mut networks = networks(&config);
        let (arch, device) = (Arch::AUTOGAN_A.prefix(STAGE + 1), Device::Cpu);
        let real = Tensor::zeros((3, 3, 16, 16), candle_core::DType::F32, &device).unwrap();
        let all = |params: Vec<(&str, &candle_core::Var)>| -> Vec<Vec<f64>> {
            let of = |var: &candle_core::Var| {
                let flat = var.to_dtype(candle_core::DType::F64).unwrap().flatten_all().unwrap();
                flat.to_vec1().unwrap()
            };
            params.into_iter().map(|(_, var)| of(var)).collect()
        };
        let mut before = Vec::new();
        for index in 0..3 {
            let streams = Streams::new(SEED);
            let at = Step { train: &config.train, stage: STAGE, iteration: 0, streams, index };
            networks.d_step(&at, &arch, &real).unwrap();
            if index == 0 {
                networks.g_step(&at, &arch).unwrap();
            }
            let (live, average) = (&networks.generator, networks.ema.generator());
            let buffers = all(live.params().buffers());
            assert_eq!(all(average.params().buffers()), buffers, "step {index}");
            assert_ne!(buffers, before, "a D step changes them");
            before = buffers;
            assert_ne!(all(average.params().trainable()), all(live.params().trainable()));
        }
    }
}
