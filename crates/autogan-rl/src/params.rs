//! The controller's parameters: an ordered list under PyTorch's names, their initial values, and state in and out.

use autogan_space::TokenKind;
use candle_core::{DType, Device, Tensor, Var};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use crate::error::{Result, RlError};
use crate::lstm::LstmWeights;

/// How many entries precede the decoders: four of the LSTM and the embedding table.
const DECODERS: usize = 5;

/// Every parameter, in the order of PyTorch's `state_dict`.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, Var)>);

impl Params {
    /// PyTorch's default initial values: LSTM U(±1/√hidden), embedding N(0, 1), linear U(±1/√hidden).
    ///
    /// They are drawn in f64 in the order of the list and then rounded to `dtype`.
    pub fn new<R: Rng + ?Sized>(
        tokens: &[TokenKind],
        hidden: usize,
        dtype: DType,
        device: &Device,
        rng: &mut R,
    ) -> Result<Self> {
        let bound = 1.0 / (hidden as f64).sqrt();
        let rows: usize = tokens.iter().map(|t| t.choices()).sum();
        let gates = 4 * hidden;
        let mut list = Vec::with_capacity(DECODERS + 2 * tokens.len());
        for (name, shape) in [
            ("lstm.weight_ih", vec![gates, hidden]),
            ("lstm.weight_hh", vec![gates, hidden]),
            ("lstm.bias_ih", vec![gates]),
            ("lstm.bias_hh", vec![gates]),
        ] {
            list.push((name.to_owned(), uniform(bound, shape, dtype, device, rng)?));
        }
        let table: Vec<f64> = (0..rows * hidden).map(|_| StandardNormal.sample(rng)).collect();
        let table = Tensor::from_vec(table, (rows, hidden), device)?.to_dtype(dtype)?;
        list.push(("encoder.weight".to_owned(), Var::from_tensor(&table)?));
        for (i, token) in tokens.iter().enumerate() {
            let n = token.choices();
            let weight = uniform(bound, vec![n, hidden], dtype, device, rng)?;
            list.push((format!("decoders.{i}.weight"), weight));
            let bias = uniform(bound, vec![n], dtype, device, rng)?;
            list.push((format!("decoders.{i}.bias"), bias));
        }
        Ok(Self(list))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.0.iter().map(|(name, var)| (name.as_str(), var))
    }

    pub fn lstm(&self) -> LstmWeights<'_> {
        LstmWeights {
            weight_ih: self.0[0].1.as_tensor(),
            weight_hh: self.0[1].1.as_tensor(),
            bias_ih: self.0[2].1.as_tensor(),
            bias_hh: self.0[3].1.as_tensor(),
        }
    }

    /// The embedding table, `[sum of choices, hidden]`.
    pub fn encoder(&self) -> &Tensor {
        self.0[4].1.as_tensor()
    }

    /// Weight `[choices, hidden]` and bias `[choices]` of token `i`'s decoder.
    pub fn decoder(&self, i: usize) -> (&Tensor, &Tensor) {
        (self.0[DECODERS + 2 * i].1.as_tensor(), self.0[DECODERS + 2 * i + 1].1.as_tensor())
    }

    /// Copies of all values, in order.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        self.iter()
            .map(|(name, var)| Ok((name.to_owned(), var.as_tensor().copy()?.detach())))
            .collect()
    }

    /// Sets all values; nothing is changed unless every name and shape fits.
    pub fn load(&self, state: &[(String, Tensor)]) -> Result<()> {
        let problem = |problem: String| RlError::State { problem };
        if let Some((name, _)) = state.iter().find(|(n, _)| !self.iter().any(|(own, _)| own == n)) {
            return Err(problem(format!("unexpected tensor {name}")));
        }
        let mut values = Vec::with_capacity(self.0.len());
        for (name, var) in self.iter() {
            let Some((_, value)) = state.iter().find(|(n, _)| n == name) else {
                return Err(problem(format!("tensor {name} is missing")));
            };
            if value.dims() != var.dims() {
                let (expected, found) = (var.dims(), value.dims());
                return Err(problem(format!(
                    "{name}: expected shape {expected:?}, found {found:?}"
                )));
            }
            values.push(value.to_dtype(var.dtype())?.to_device(var.device())?.copy()?);
        }
        for ((_, var), value) in self.iter().zip(&values) {
            var.set(value)?;
        }
        Ok(())
    }
}

fn uniform<R: Rng + ?Sized>(
    bound: f64,
    shape: Vec<usize>,
    dtype: DType,
    device: &Device,
    rng: &mut R,
) -> Result<Var> {
    let len = shape.iter().product();
    let data: Vec<f64> = (0..len).map(|_| bound * (2.0 * rng.random::<f64>() - 1.0)).collect();
    Ok(Var::from_tensor(&Tensor::from_vec(data, shape, device)?.to_dtype(dtype)?)?)
}
