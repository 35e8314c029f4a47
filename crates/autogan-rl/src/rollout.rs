//! A [`Rollout`] is the result of one unrolling of the controller, which starts from a [`StartState`] in each row.

use autogan_space::TokenKind;
use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// A token together with what was chosen for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousToken {
    /// The decision.
    pub kind: TokenKind,
    /// The choice, below `kind.choices()`.
    pub choice: usize,
}

/// The start of one row of a batch, which a beam entry hands to the next stage's controller.
///
/// It is kept on the host in f32, so that it can be written into a checkpoint and is independent of the device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartState {
    /// Hidden vector, `hidden` values.
    pub h: Vec<f32>,
    /// Cell vector, `hidden` values.
    pub c: Vec<f32>,
    /// The last token of the previous cell; none at stage 0.
    pub previous: Option<PreviousToken>,
}

impl StartState {
    /// The start of stage 0: zero vectors, no previous token.
    pub fn zeros(hidden: usize) -> Self {
        Self { h: vec![0.0; hidden], c: vec![0.0; hidden], previous: None }
    }
}

/// One unrolling over all `T` tokens for a batch of `B` rows.
///
/// `log_probs`, `entropies` and `logits` are connected to the controller's parameters, so that losses made from
/// them can be differentiated.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// The choices, `B` rows of `T`.
    pub actions: Vec<Vec<usize>>,
    /// Decoder outputs, for each token `[B, choices]`.
    pub logits: Vec<Tensor>,
    /// Probabilities of every choice, for each token `[B, choices]`; without gradient.
    pub probs: Vec<Tensor>,
    /// Logarithm of the probability of each chosen action, `[B, T]`, in nats, at most 0.
    pub log_probs: Tensor,
    /// Entropy of each token's distribution, `[B, T]`, in nats, from 0 to ln(choices).
    pub entropies: Tensor,
    /// Hidden vector after the last token, `[B, hidden]`.
    pub end_h: Tensor,
    /// Cell vector after the last token, `[B, hidden]`.
    pub end_c: Tensor,
    pub(crate) last: TokenKind,
}

impl Rollout {
    /// Rows in the batch.
    pub fn batch(&self) -> usize {
        self.actions.len()
    }

    /// The states from which the next stage goes on, one for each row.
    ///
    /// # Errors
    /// When the vectors cannot be read back from the device.
    pub fn end_states(&self) -> Result<Vec<StartState>> {
        let h = self.end_h.to_dtype(DType::F32)?.to_vec2::<f32>()?;
        let c = self.end_c.to_dtype(DType::F32)?.to_vec2::<f32>()?;
        let rows = h.into_iter().zip(c).zip(&self.actions);
        Ok(rows
            .map(|((h, c), row)| {
                let previous = row.last().map(|&choice| PreviousToken { kind: self.last, choice });
                StartState { h, c, previous }
            })
            .collect())
    }

    /// Σ_t log π for each row: the logarithm of the probability of the whole sequence, in nats.
    ///
    /// # Errors
    /// When the values cannot be read back from the device.
    pub fn sequence_log_probs(&self) -> Result<Vec<f64>> {
        Ok(self.log_probs.to_dtype(DType::F64)?.sum(1)?.to_vec1()?)
    }

    /// The entropy of a token's distribution, averaged over tokens and rows, in nats.
    ///
    /// # Errors
    /// When the values cannot be read back from the device.
    pub fn mean_entropy(&self) -> Result<f64> {
        Ok(self.entropies.to_dtype(DType::F64)?.mean_all()?.to_scalar()?)
    }
}
