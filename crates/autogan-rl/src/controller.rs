//! The [`Controller`] is the LSTM of section 3.2 (figure 2): one decision per step, each fed with the one before.
//!
//! Step `i` embeds the previous choice (row `offset + choice` of the table, `offset` being the number of choices
//! of all tokens before it), runs the LSTM cell and decodes the hidden vector with decoder `i`. Parameters carry
//! the names of the PyTorch original, so that its state dicts load.

use autogan_config::PolicyConfig;
use autogan_ops::linear;
use autogan_space::TokenKind;
use candle_core::{DType, Device, Tensor, Var};
use rand::Rng;

use crate::FirstInput;
use crate::error::{Result, RlError};
use crate::lstm::{LstmState, lstm_step};
use crate::params::ControllerParams;
use crate::rollout::{PreviousToken, StartState};
use crate::rule::{AnyChoice, ChoiceRule};
use crate::ruled::RuledController;

/// Size and input rule of a controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerConfig {
    /// Length of the hidden vector and of the embeddings, 1 or more.
    pub hidden: usize,
    /// The input of the first step.
    pub first_input: FirstInput,
}

impl From<&PolicyConfig> for ControllerConfig {
    fn from(config: &PolicyConfig) -> Self {
        Self { hidden: config.hidden, first_input: config.first_input }
    }
}

/// An LSTM policy over a list of tokens.
#[derive(Debug)]
pub struct Controller {
    tokens: Vec<TokenKind>,
    config: ControllerConfig,
    params: ControllerParams,
}

impl Controller {
    /// A controller for any list of tokens with PyTorch's default initial values: LSTM and decoders
    /// U(±1/√hidden), embeddings N(0, 1).
    ///
    /// `dtype` is f32 or f64. The draws depend on `rng` alone, not on `dtype` or `device`.
    ///
    /// # Errors
    /// When the list is empty, `hidden` is 0, or `dtype` is neither f32 nor f64.
    pub fn new<R: Rng + ?Sized>(
        tokens: &[TokenKind],
        config: &ControllerConfig,
        dtype: DType,
        device: &Device,
        rng: &mut R,
    ) -> Result<Self> {
        if tokens.is_empty() {
            return Err(RlError::Empty("token"));
        }
        if config.hidden == 0 {
            let found = config.hidden.to_string();
            return Err(RlError::Config { key: "hidden", expected: "1 or more", found });
        }
        let params = ControllerParams::new(tokens, config.hidden, dtype, device, rng)?;
        let (tokens, config) = (tokens.to_vec(), config.clone());
        Ok(Self { tokens, config, params })
    }

    /// The decisions, in the order in which they are taken.
    pub fn tokens(&self) -> &[TokenKind] {
        &self.tokens
    }

    /// Parameters with their PyTorch names, always in the same order.
    pub fn named_vars(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.params.store.trainable().into_iter()
    }

    /// A copy of every parameter under its name, for a checkpoint.
    ///
    /// # Errors
    /// When copying on the device fails.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(self.params.store.state()?)
    }

    /// Sets every parameter; on an error none is changed.
    ///
    /// # Errors
    /// [`RlError::State`] when tensors are missing, unknown or of another shape; all of them are named.
    pub fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        Ok(self.params.store.load_state(state)?)
    }

    /// `batch` copies of the start of stage 0.
    pub fn zero_starts(&self, batch: usize) -> Vec<StartState> {
        vec![StartState::zeros(self.config.hidden); batch]
    }

    /// This controller under a rule: it draws and follows only sequences that `rule` allows.
    pub fn within<'a>(&'a self, rule: &'a dyn ChoiceRule) -> RuledController<'a> {
        RuledController { controller: self, rule }
    }

    /// This controller without a rule: it draws and follows sequences of any choices.
    pub fn freely(&self) -> RuledController<'_> {
        self.within(&AnyChoice)
    }

    /// First input `[B, hidden]` and first state.
    pub(crate) fn start(&self, starts: &[StartState]) -> Result<(Tensor, LstmState)> {
        if starts.is_empty() {
            return Err(RlError::Empty("start state"));
        }
        let h = self.rows(starts.iter().map(|s| s.h.as_slice()))?;
        let c = self.rows(starts.iter().map(|s| s.c.as_slice()))?;
        let read = |s: &StartState| match self.config.first_input {
            FirstInput::Zeros => Ok(None),
            FirstInput::PreviousToken => s.previous.map(|p| self.table_row(p)).transpose(),
        };
        let rows: Vec<Option<usize>> = starts.iter().map(read).collect::<Result<_>>()?;
        if rows.iter().all(Option::is_none) {
            return Ok((h.zeros_like()?, LstmState { h, c }));
        }
        let known: Vec<f32> = rows.iter().map(|r| f32::from(u8::from(r.is_some()))).collect();
        let known = Tensor::from_vec(known, (rows.len(), 1), self.params.store.device())?
            .to_dtype(self.params.store.dtype())?;
        let rows: Vec<usize> = rows.into_iter().map(Option::unwrap_or_default).collect();
        let x = self.params.encoder().index_select(&self.indices(&rows, 0)?, 0)?;
        Ok((x.broadcast_mul(&known)?, LstmState { h, c }))
    }

    /// Logits `[B, choices]` of token `step`, and the state after it.
    pub(crate) fn step(
        &self,
        step: usize,
        x: &Tensor,
        state: &LstmState,
    ) -> Result<(Tensor, LstmState)> {
        let state = lstm_step(&self.params.lstm(), x, state)?;
        let (weight, bias) = self.params.decoder(step);
        Ok((linear(&state.h, weight, Some(bias))?, state))
    }

    /// Embeddings `[B, hidden]` of the choices made for token `step`.
    pub(crate) fn embed(&self, step: usize, picks: &[usize]) -> Result<Tensor> {
        let index = self.indices(picks, self.offset(step))?;
        Ok(self.params.encoder().index_select(&index, 0)?)
    }

    /// Row numbers as an index tensor.
    pub(crate) fn indices(&self, rows: &[usize], offset: usize) -> Result<Tensor> {
        let rows: Vec<u32> = rows.iter().map(|&r| (r + offset) as u32).collect();
        Ok(Tensor::new(rows, self.params.store.device())?)
    }

    /// The first table row of token `i`: the number of choices of all tokens before it.
    fn offset(&self, i: usize) -> usize {
        self.tokens[..i].iter().map(|t| t.choices()).sum()
    }

    /// The table row for the last token of the previous cell: the segment of the first token of the same kind.
    ///
    /// A skip mask of an earlier stage counts as the same set of source cells in this stage's wider mask, whose
    /// most significant bit is the oldest cell too.
    fn table_row(&self, previous: PreviousToken) -> Result<usize> {
        let PreviousToken { kind, choice } = previous;
        let place = |(i, own): (usize, &TokenKind)| match (*own, kind) {
            (own, kind) if own == kind => Some((i, choice)),
            (TokenKind::SkipMask { cells }, TokenKind::SkipMask { cells: earlier })
                if earlier < cells =>
            {
                Some((i, choice << (cells - earlier)))
            }
            _ => None,
        };
        let found = self.tokens.iter().enumerate().find_map(place);
        match found {
            Some((i, choice)) if choice < self.tokens[i].choices() => Ok(self.offset(i) + choice),
            _ => {
                let tokens: Vec<String> = self.tokens.iter().map(|t| t.name()).collect();
                let (token, tokens) = (kind.name(), tokens.join(", "));
                Err(RlError::PreviousToken { token, choice, tokens })
            }
        }
    }

    fn rows<'a>(&self, rows: impl ExactSizeIterator<Item = &'a [f32]>) -> Result<Tensor> {
        let (n, expected) = (rows.len(), self.config.hidden);
        let mut data = Vec::with_capacity(n * expected);
        for row in rows {
            RlError::check_length("start vector", expected, row.len(), "hidden unit")?;
            data.extend_from_slice(row);
        }
        Ok(Tensor::from_vec(data, (n, expected), self.params.store.device())?
            .to_dtype(self.params.store.dtype())?)
    }
}
