//! This module changes parameters in place: by steps of Adam, and by the moving average.

use std::collections::BTreeMap;

use candle_core::backend::BackendStorage;
use candle_core::backprop::GradStore;
use candle_core::{
    CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor, Var, WithDType, bail,
};
use rayon::prelude::*;

use crate::cuda;
use crate::gradients::GradientOf;
use crate::host::{CHUNK, elements, slice};
use crate::real::dispatch;

mod gpu;

use gpu::Update;

/// Adam's numbers (Kingma and Ba, 2015).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamConfig {
    /// Step size.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// The number that is added to the root of the second moment.
    pub eps: f64,
}

/// The moments of one parameter.
#[derive(Clone, Debug)]
pub struct Moments {
    /// Steps that this parameter took part in.
    pub step: u64,
    /// First moment, of the parameter's shape.
    pub m: Tensor,
    /// Second moment, of the parameter's shape.
    pub v: Tensor,
}

/// Adam with moments kept by name, so that they can be saved and restored.
///
/// A parameter without a gradient is skipped: its moments and its step count stay, as in current PyTorch. PyTorch 1.1 is
/// imitated by [`Adam::as_in_torch_1_1`].
#[derive(Clone, Debug)]
pub struct Adam {
    config: AdamConfig,
    moments: BTreeMap<String, Moments>,
    torch_1_1: bool,
}

impl Adam {
    /// An optimizer without any moments yet.
    pub fn new(config: AdamConfig) -> Self {
        Self { config, moments: BTreeMap::new(), torch_1_1: false }
    }

    /// This optimizer with the rules of PyTorch 1.1. There `zero_grad` leaves zeros in the place of a gradient, so a
    /// parameter that once had one takes part in every later step: where it is idle, its moments decay and its steps are
    /// counted. And `eps` is added to the root of the second moment before that is corrected for its bias.
    pub fn as_in_torch_1_1(self) -> Self {
        Self { torch_1_1: true, ..self }
    }

    /// Changes the step size.
    pub fn set_lr(&mut self, lr: f64) {
        self.config.lr = lr;
    }

    /// Moments by parameter name.
    pub fn moments(&self) -> &BTreeMap<String, Moments> {
        &self.moments
    }

    /// Replaces all moments, as when a checkpoint is loaded.
    pub fn set_moments(&mut self, moments: BTreeMap<String, Moments>) {
        self.moments = moments;
    }

    /// Takes one step for every parameter that `grads` holds a gradient for; as in PyTorch 1.1, where that is asked for,
    /// also for those that it held one for in an earlier step.
    ///
    /// # Errors
    /// When moments and gradients of a parameter do not fit each other.
    pub fn step<'a>(
        &mut self,
        parameters: impl IntoIterator<Item = (&'a str, &'a Var)>,
        grads: &impl GradientOf,
    ) -> Result<()> {
        let mut updates = Vec::new();
        for (name, var) in parameters {
            let grad = match grads.gradient_of(var) {
                Some(grad) => grad.contiguous()?,
                None if self.torch_1_1 && self.moments.contains_key(name) => {
                    var.as_tensor().zeros_like()?
                }
                None => continue,
            };
            if grad.dims() != var.dims() {
                bail!("adam: {name} is {:?}, its gradient {:?}", var.dims(), grad.dims());
            }
            let update = self.update(name, var, grad)?;
            if cuda::taken(var) {
                updates.push(update);
            } else {
                update.run(self.config)?;
            }
        }
        gpu::adam(&updates, [self.config.beta1, self.config.beta2], self.config.eps)
    }

    /// Counts a step of a parameter, and returns what the step needs.
    fn update(&mut self, name: &str, var: &Var, grad: Tensor) -> Result<Update> {
        if !self.moments.contains_key(name) {
            let (m, v) = (var.as_tensor().zeros_like()?, var.as_tensor().zeros_like()?);
            self.moments.insert(name.to_owned(), Moments { step: 0, m, v });
        }
        let Some(state) = self.moments.get_mut(name) else { bail!("adam: no moments for {name}") };
        let c = self.config;
        state.step += 1;
        let t = state.step as f64;
        let (size, root) = (c.lr / (1.0 - c.beta1.powf(t)), (1.0 - c.beta2.powf(t)).sqrt());
        let (size, root) = if self.torch_1_1 { (size * root, 1.0) } else { (size, root) };
        let (m, v) = (state.m.clone(), state.v.clone());
        Ok(Update { value: var.as_tensor().clone(), grad, m, v, size, root })
    }
}

/// [`Adam`] together with the variables that it steps: an optimiser as `candle-nn` has them.
#[derive(Clone, Debug)]
pub struct AdamOptimizer {
    adam: Adam,
    vars: Vec<(String, Var)>,
}

impl AdamOptimizer {
    /// Adam over named variables, under whose names it keeps its moments.
    pub fn named<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a Var)>,
        config: AdamConfig,
    ) -> Self {
        let vars = parameters.into_iter().map(|(name, var)| (name.to_owned(), var.clone()));
        Self { adam: Adam::new(config), vars: vars.collect() }
    }

    /// Takes one step with gradients of [`crate::gradients`] or of candle's `backward`.
    ///
    /// # Errors
    /// As [`Adam::step`].
    pub fn step_with(&mut self, grads: &impl GradientOf) -> Result<()> {
        self.adam.step(self.vars.iter().map(|(name, var)| (name.as_str(), var)), grads)
    }

    /// The Adam inside, with its moments.
    pub fn adam(&self) -> &Adam {
        &self.adam
    }
}

/// Variables are named by their places, from `"0"` on; those that hold no floats are passed over.
impl candle_nn::Optimizer for AdamOptimizer {
    type Config = AdamConfig;

    fn new(vars: Vec<Var>, config: AdamConfig) -> Result<Self> {
        let floats = vars.into_iter().enumerate().filter(|(_, var)| var.dtype().is_float());
        let vars = floats.map(|(i, var)| (i.to_string(), var)).collect();
        Ok(Self { adam: Adam::new(config), vars })
    }

    fn step(&mut self, grads: &GradStore) -> Result<()> {
        self.step_with(grads)
    }

    fn learning_rate(&self) -> f64 {
        self.adam.config.lr
    }

    fn set_learning_rate(&mut self, lr: f64) {
        self.adam.set_lr(lr);
    }
}

impl Update {
    fn run(&self, c: AdamConfig) -> Result<()> {
        self.m.inplace_op2(&self.grad, &Lerp { keep: c.beta1, squared: false })?;
        self.v.inplace_op2(&self.grad, &Lerp { keep: c.beta2, squared: true })?;
        let step = AdamStep { size: self.size, root: self.root, eps: c.eps };
        self.value.inplace_op3(&self.m, &self.v, &step)
    }
}

/// Sets `average = decay · average + (1 − decay) · value`, in place, for each pair (average, value) of one shape; on a
/// GPU all of them in one launch.
///
/// # Errors
/// When the shapes or element types of a pair differ.
pub fn ema_update(pairs: &[(&Tensor, &Tensor)], decay: f64) -> Result<()> {
    let mut on_gpu = Vec::new();
    for &(average, value) in pairs {
        if average.dims() != value.dims() {
            bail!("ema: the average is {:?}, the value {:?}", average.dims(), value.dims());
        }
        let value = value.contiguous()?;
        if cuda::taken(average) {
            on_gpu.push((average, value));
        } else {
            average.inplace_op2(&value, &Lerp { keep: decay, squared: false })?;
        }
    }
    gpu::ema(&on_gpu, decay)
}

/// `a = keep · a + (1 − keep) · b`, or with b².
struct Lerp {
    keep: f64,
    squared: bool,
}

impl InplaceOp2 for Lerp {
    fn name(&self) -> &'static str {
        "lerp"
    }

    fn cpu_fwd(&self, a: &mut CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> Result<()> {
        dispatch!("lerp", a.dtype(), T => {
            let b = slice::<T>("lerp", b, lb)?;
            let a: &mut [T] = elements(a, la)?;
            let (keep, take) = (T::from_f64(self.keep), T::from_f64(1.0 - self.keep));
            a.par_chunks_mut(CHUNK).zip(b.par_chunks(CHUNK)).for_each(|(a, b)| {
                for (a, &b) in a.iter_mut().zip(b) {
                    let b = if self.squared { b * b } else { b };
                    *a = keep * *a + take * b;
                }
            });
            Ok(())
        })
    }
}

/// `p −= size · m / (√v / root + eps)`.
struct AdamStep {
    size: f64,
    root: f64,
    eps: f64,
}

impl InplaceOp3 for AdamStep {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(
        &self,
        p: &mut CpuStorage,
        lp: &Layout,
        m: &CpuStorage,
        lm: &Layout,
        v: &CpuStorage,
        lv: &Layout,
    ) -> Result<()> {
        dispatch!("adam", p.dtype(), T => {
            let (m, v) = (slice::<T>("adam", m, lm)?, slice::<T>("adam", v, lv)?);
            let p: &mut [T] = elements(p, lp)?;
            let (size, root, eps) = (T::from_f64(self.size), T::from_f64(self.root), T::from_f64(self.eps));
            let moments = m.par_chunks(CHUNK).zip(v.par_chunks(CHUNK));
            p.par_chunks_mut(CHUNK).zip(moments).for_each(|(p, (m, v))| {
                for ((p, &m), &v) in p.iter_mut().zip(m).zip(v) {
                    *p -= size * m / (v.sqrt() / root + eps);
                }
            });
            Ok(())
        })
    }
}
