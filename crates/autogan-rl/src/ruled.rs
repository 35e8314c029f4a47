//! A controller draws or follows sequences of choices; a rule may restrict them.

use autogan_ops::log_softmax;
use candle_core::{DType, Tensor};
use rand::{Rng, RngExt};

use crate::controller::Controller;
use crate::error::{Result, RlError};
use crate::rollout::{Rollout, StartState};
use crate::rule::ChoiceRule;

/// What is added to the logit of a choice that is not allowed: its probability and its gradient are exactly 0, and
/// unlike with −∞ no product with them is NaN.
const NEVER: f64 = -1e9;

/// A controller whose sequences keep to a rule: the choices that are not allowed have probability 0, the others are
/// renormalised.
#[derive(Clone, Copy)]
pub struct RuledController<'a> {
    pub(crate) controller: &'a Controller,
    pub(crate) rule: &'a dyn ChoiceRule,
}

impl RuledController<'_> {
    /// Draws one sequence for each start state.
    ///
    /// Row by row, `T` uniform numbers are taken from `rng`, so that one call with `B` rows draws what `B` calls
    /// with one row would.
    ///
    /// # Errors
    /// When `starts` is empty or does not fit the controller, or when the rule does not fit.
    pub fn sample<R: Rng + ?Sized>(&self, starts: &[StartState], rng: &mut R) -> Result<Rollout> {
        let tokens = self.controller.tokens();
        let uniforms: Vec<Vec<f64>> =
            starts.iter().map(|_| tokens.iter().map(|_| rng.random()).collect()).collect();
        self.unroll(starts, |step, log_probs| {
            log_probs.iter().zip(&uniforms).map(|(row, u)| pick(row, u[step])).collect()
        })
    }

    /// Takes the most probable choice at every step; the first of equals.
    ///
    /// # Errors
    /// As [`Self::sample`].
    pub fn greedy(&self, starts: &[StartState]) -> Result<Rollout> {
        self.unroll(starts, |_, log_probs| log_probs.iter().map(|row| argmax(row)).collect())
    }

    /// Follows the given actions, one row of `T` for each start state.
    ///
    /// # Errors
    /// As [`Self::sample`]; when there are not as many rows as start states, when a row has not `T` actions, or when an
    /// action is not below its token's number of choices or not allowed.
    pub fn evaluate(&self, starts: &[StartState], actions: &[Vec<usize>]) -> Result<Rollout> {
        RlError::check_length("actions", starts.len(), actions.len(), "start state")?;
        let tokens = self.controller.tokens();
        for (row, line) in actions.iter().enumerate() {
            RlError::check_length("actions of a row", tokens.len(), line.len(), "token")?;
            for (index, (&found, token)) in line.iter().zip(tokens).enumerate() {
                let choices = token.choices();
                if found >= choices {
                    let token = token.name();
                    return Err(RlError::Action { row, index, token, choices, found });
                }
            }
        }
        self.unroll(starts, |step, _| actions.iter().map(|row| row[step]).collect())
    }

    /// Runs all steps; `choose` gets the step and the log-probabilities of every row, and names the actions.
    fn unroll(
        &self,
        starts: &[StartState],
        mut choose: impl FnMut(usize, &[Vec<f64>]) -> Vec<usize>,
    ) -> Result<Rollout> {
        let controller = self.controller;
        let tokens = controller.tokens();
        let (mut x, mut state) = controller.start(starts)?;
        let mut actions = vec![Vec::with_capacity(tokens.len()); starts.len()];
        let (mut logits, mut probs) = (Vec::new(), Vec::new());
        let (mut chosen, mut entropies) = (Vec::new(), Vec::new());
        for (step, token) in tokens.iter().enumerate() {
            let logit;
            (logit, state) = controller.step(step, &x, &state)?;
            let rows = actions.iter().enumerate();
            let rules: Vec<_> =
                rows.map(|(row, begun)| self.rule.next(row, begun)).collect::<Result<_>>()?;
            let log_prob = log_softmax(&masked(&logit, &rules)?)?;
            let prob = log_prob.exp()?;
            let picks = choose(step, &log_prob.to_dtype(DType::F64)?.to_vec2()?);
            for (row, (rule, &found)) in rules.iter().zip(&picks).enumerate() {
                if rule.as_ref().is_some_and(|allowed| !allowed[found]) {
                    let token = token.name();
                    return Err(RlError::Forbidden { row, index: step, token, found });
                }
            }
            chosen.push(log_prob.gather(&controller.indices(&picks, 0)?.unsqueeze(1)?, 1)?);
            entropies.push((&log_prob * &prob)?.sum_keepdim(1)?.neg()?);
            if step + 1 < tokens.len() {
                x = controller.embed(step, &picks)?;
            }
            actions.iter_mut().zip(&picks).for_each(|(row, &a)| row.push(a));
            probs.push(prob.detach());
            logits.push(logit);
        }
        Ok(Rollout {
            actions,
            logits,
            probs,
            log_probs: Tensor::cat(&chosen, 1)?,
            entropies: Tensor::cat(&entropies, 1)?,
            end_h: state.h,
            end_c: state.c,
            last: tokens[tokens.len() - 1],
        })
    }
}

/// Logits `[B, choices]` with those of choices that are not allowed far below all others; as they are without a rule.
pub(crate) fn masked(logits: &Tensor, rules: &[Option<Vec<bool>>]) -> Result<Tensor> {
    if rules.iter().all(Option::is_none) {
        return Ok(logits.clone());
    }
    let (_, choices) = logits.dims2()?;
    let free = vec![true; choices];
    let rows = rules.iter().flat_map(|rule| rule.as_ref().unwrap_or(&free));
    let mask: Vec<f64> = rows.map(|&allowed| if allowed { 0.0 } else { NEVER }).collect();
    let mask = Tensor::from_vec(mask, logits.shape(), logits.device())?.to_dtype(logits.dtype())?;
    Ok((logits + mask)?)
}

/// The choice that the uniform number `u` in [0, 1) falls on.
fn pick(log_probs: &[f64], u: f64) -> usize {
    let probs: Vec<f64> = log_probs.iter().map(|l| l.exp()).collect();
    // Rounded probabilities need not add up to 1; scaling `u` leaves no gap at the end.
    let mut rest = u * probs.iter().sum::<f64>();
    for (k, p) in probs.iter().enumerate() {
        if rest < *p {
            return k;
        }
        rest -= p;
    }
    argmax(log_probs)
}

fn argmax(values: &[f64]) -> usize {
    let mut best = 0;
    for (k, v) in values.iter().enumerate() {
        if *v > values[best] {
            best = k;
        }
    }
    best
}
