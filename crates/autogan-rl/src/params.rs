//! [`ControllerParams`] holds the controller's parameters under PyTorch's names, in the order of its `state_dict`.

use autogan_space::TokenKind;
use autogan_weights::{Init, Params, ParamsBuilder};
use candle_core::{DType, Device, Tensor, Var};
use rand::Rng;

use crate::error::Result;
use crate::lstm::LstmWeights;

/// The variables of a controller, by what they are for and as one store.
#[derive(Debug)]
pub(crate) struct ControllerParams {
    lstm: [Var; 4],
    encoder: Var,
    decoders: Vec<(Var, Var)>,
    pub store: Params,
}

impl ControllerParams {
    /// Draws PyTorch's default initial values: LSTM U(±1/√hidden), embedding N(0, 1), linear U(±1/√hidden).
    ///
    /// They are drawn in f64 in the order of the store and then rounded to `dtype`.
    pub fn new<R: Rng + ?Sized>(
        tokens: &[TokenKind],
        hidden: usize,
        dtype: DType,
        device: &Device,
        rng: &mut R,
    ) -> Result<Self> {
        let rows: usize = tokens.iter().map(|t| t.choices()).sum();
        let gates = 4 * hidden;
        let uniform = Init::Uniform { fan_in: hidden };
        let mut builder = ParamsBuilder::new(dtype, device)?;
        let lstm = [
            builder.param("lstm.weight_ih", (gates, hidden), uniform)?,
            builder.param("lstm.weight_hh", (gates, hidden), uniform)?,
            builder.param("lstm.bias_ih", gates, uniform)?,
            builder.param("lstm.bias_hh", gates, uniform)?,
        ];
        let normal = Init::Normal { mean: 0.0, std: 1.0 };
        let encoder = builder.param("encoder.weight", (rows, hidden), normal)?;
        let mut decoders = Vec::with_capacity(tokens.len());
        for (i, token) in tokens.iter().enumerate() {
            let n = token.choices();
            let weight = builder.param(&format!("decoders.{i}.weight"), (n, hidden), uniform)?;
            let bias = builder.param(&format!("decoders.{i}.bias"), n, uniform)?;
            decoders.push((weight, bias));
        }
        let store = builder.finish();
        store.reset(rng)?;
        Ok(Self { lstm, encoder, decoders, store })
    }

    pub fn lstm(&self) -> LstmWeights<'_> {
        let [weight_ih, weight_hh, bias_ih, bias_hh] = self.lstm.each_ref().map(|v| v.as_tensor());
        LstmWeights { weight_ih, weight_hh, bias_ih, bias_hh }
    }

    /// The embedding table, `[sum of choices, hidden]`.
    pub fn encoder(&self) -> &Tensor {
        self.encoder.as_tensor()
    }

    /// Weight `[choices, hidden]` and bias `[choices]` of token `i`'s decoder.
    pub fn decoder(&self, i: usize) -> (&Tensor, &Tensor) {
        let (weight, bias) = &self.decoders[i];
        (weight.as_tensor(), bias.as_tensor())
    }
}
