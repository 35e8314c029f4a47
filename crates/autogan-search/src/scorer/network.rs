//! The compact classifier in training: variables, batch norms and their running statistics.

use std::collections::BTreeMap;

use autogan_metrics::compact::{BN_EPS, ConvNames, INPUT_CHANNELS, LINEAR, conv_names};
use autogan_ops as ops;
use candle_core::{DType, Device, Result, Tensor, Var};
use rand::{Rng, RngExt};

/// Share of the batch's statistics that enters the running ones.
const MOMENTUM: f64 = 0.1;

/// Variables by name and running statistics by layer.
pub(super) struct Network {
    convs: Vec<ConvNames>,
    vars: BTreeMap<String, Var>,
    /// Running mean and unbiased variance of each convolution's batch norm.
    running: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Network {
    /// He-normal convolutions, a small linear layer, batch norms at 1 and 0.
    pub(super) fn new(
        widths: [usize; 3],
        classes: usize,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<Self> {
        let convs = conv_names();
        let mut vars = BTreeMap::new();
        let mut running = Vec::new();
        let mut inputs = INPUT_CHANNELS;
        for (i, names) in convs.iter().enumerate() {
            let outputs = widths[i / 2];
            let std = (2.0 / (inputs * 9) as f64).sqrt();
            let weight = normal(&[outputs, inputs, 3, 3], std, device, rng)?;
            vars.insert(names.weight.clone(), weight);
            let ones = Tensor::ones(outputs, DType::F32, device)?;
            vars.insert(names.scale.clone(), Var::from_tensor(&ones)?);
            let zeros = Tensor::zeros(outputs, DType::F32, device)?;
            vars.insert(names.shift.clone(), Var::from_tensor(&zeros)?);
            running.push((vec![0.0; outputs], vec![1.0; outputs]));
            inputs = outputs;
        }
        let std = (1.0 / inputs as f64).sqrt();
        let weight = normal(&[classes, inputs], std, device, rng)?;
        vars.insert(format!("{LINEAR}.weight"), weight);
        let zeros = Tensor::zeros(classes, DType::F32, device)?;
        vars.insert(format!("{LINEAR}.bias"), Var::from_tensor(&zeros)?);
        Ok(Self { convs, vars, running })
    }

    /// Variables by name, in the order of the names.
    pub(super) fn vars(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.vars.iter().map(|(name, var)| (name.as_str(), var))
    }

    fn var(&self, name: &str) -> Result<&Tensor> {
        match self.vars.get(name) {
            Some(var) => Ok(var.as_tensor()),
            None => candle_core::bail!("the classifier has no variable {name}"),
        }
    }

    /// Logits `[N, K]` of an input `[N, 12, 16, 16]`, by the batch's statistics, which enter the
    /// running ones.
    pub(super) fn forward(&mut self, input: &Tensor) -> Result<Tensor> {
        let mut x = input.clone();
        for block in 0..self.convs.len() / 2 {
            if block > 0 {
                x = ops::avg_pool2(&x)?;
            }
            x = self.unit(2 * block, &x)?;
            x = (&x + self.unit(2 * block + 1, &x)?)?;
        }
        let features = ops::avg_pool_global(&x)?;
        ops::linear(
            &features,
            self.var(&format!("{LINEAR}.weight"))?,
            Some(self.var(&format!("{LINEAR}.bias"))?),
        )
    }

    /// `relu(bn(conv(x)))`.
    fn unit(&mut self, index: usize, x: &Tensor) -> Result<Tensor> {
        let names = &self.convs[index];
        let h = ops::conv2d(x, self.var(&names.weight)?, None)?;
        let (scale, shift) = (self.var(&names.scale)?, self.var(&names.shift)?);
        let out = ops::batch_norm_train(&h, scale, shift, BN_EPS, ops::Activation::Relu)?;
        let unbiased = out.count as f64 / (out.count.max(2) - 1) as f64;
        let (mean, var) = &mut self.running[index];
        for (r, b) in mean.iter_mut().zip(out.mean.to_vec1::<f64>()?) {
            *r += MOMENTUM * (b - *r);
        }
        for (r, b) in var.iter_mut().zip(out.var.to_vec1::<f64>()?) {
            *r += MOMENTUM * (b * unbiased - *r);
        }
        Ok(out.y)
    }

    /// All tensors under the names of the weight file, as `f32`.
    pub(super) fn tensors(&self) -> Result<Vec<(String, Tensor)>> {
        let mut all = Vec::new();
        for (names, (mean, var)) in self.convs.iter().zip(&self.running) {
            for name in [&names.weight, &names.scale, &names.shift] {
                all.push((name.clone(), self.var(name)?.detach()));
            }
            for (name, values) in [(&names.mean, mean), (&names.var, var)] {
                let tensor = Tensor::new(values.as_slice(), &Device::Cpu)?;
                all.push((name.clone(), tensor.to_dtype(DType::F32)?));
            }
        }
        for part in ["weight", "bias"] {
            let name = format!("{LINEAR}.{part}");
            let tensor = self.var(&name)?.detach();
            all.push((name, tensor));
        }
        Ok(all)
    }
}

/// A variable of normal numbers.
fn normal(shape: &[usize], std: f64, device: &Device, rng: &mut impl Rng) -> Result<Var> {
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| {
            let v: f64 = rng.sample(rand_distr::StandardNormal);
            (v * std) as f32
        })
        .collect();
    Var::from_vec(values, shape, device)
}
