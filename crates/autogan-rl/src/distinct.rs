//! [`RuledController::sample_distinct`] draws sequences without repetition.
//!
//! The released code draws its top-K candidates with repetition, so that a beam can hold the same architecture
//! several times. Here M different ones are drawn in a single pass, with the same distribution as drawing one by
//! one and rejecting repeats, by the top-down Gumbel-top-k method (Kool, van Hoof, Welling, *Stochastic Beams and
//! Where to Find Them*, ICML 2019, arXiv 1903.06059). It cannot loop for long on a policy that is nearly certain.

use autogan_ops::log_softmax;
use candle_core::DType;
use rand::{Rng, RngExt};

use crate::error::{Result, RlError};
use crate::rollout::StartState;
use crate::ruled::{RuledController, masked};

/// One sequence and the start state that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Draw {
    /// Index into the start states.
    pub start: usize,
    /// One choice for each token.
    pub actions: Vec<usize>,
}

/// The beginning of a sequence that may still be drawn.
struct Partial {
    draw: Draw,
    /// Row of the current batch that holds its state.
    row: usize,
    /// Logarithm of its probability.
    log_prob: f64,
    /// Its perturbed logarithm: the largest among all its completions.
    gumbel: f64,
}

impl RuledController<'_> {
    /// Draws `m` different sequences, start states being equally likely; fewer when there are no more.
    ///
    /// They come in the order in which they would be drawn one after the other: the first is an ordinary sample.
    /// Follow with [`RuledController::evaluate`] for their probabilities and end states.
    ///
    /// # Errors
    /// When `m` is 0, when `starts` is empty or does not fit the controller, or when the rule does not fit.
    pub fn sample_distinct<R: Rng + ?Sized>(
        &self,
        starts: &[StartState],
        m: usize,
        rng: &mut R,
    ) -> Result<Vec<Draw>> {
        if m == 0 {
            return Err(RlError::Empty("distinct sequence"));
        }
        let controller = self.controller;
        let (mut x, mut state) = controller.start(starts)?;
        let even = -(starts.len() as f64).ln();
        let root = |start| {
            let draw = Draw { start, actions: Vec::with_capacity(controller.tokens().len()) };
            Partial { draw, row: start, log_prob: even, gumbel: even + gumbel(rng) }
        };
        let mut beam = best((0..starts.len()).map(root).collect(), m);
        for step in 0..controller.tokens().len() {
            // `x` and `state` follow the rows of the beam before: bring them to those of the beam now.
            let rows = controller.indices(&beam.iter().map(|p| p.row).collect::<Vec<_>>(), 0)?;
            state.h = state.h.index_select(&rows, 0)?.detach();
            state.c = state.c.index_select(&rows, 0)?.detach();
            x = match step {
                0 => x.index_select(&rows, 0)?.detach(),
                _ => controller
                    .embed(
                        step - 1,
                        &beam.iter().map(|p| p.draw.actions[step - 1]).collect::<Vec<_>>(),
                    )?
                    .detach(),
            };
            let logits;
            (logits, state) = controller.step(step, &x, &state)?;
            let rules = beam.iter().map(|p| self.rule.next(p.draw.start, &p.draw.actions));
            let rules = rules.collect::<Result<Vec<_>>>()?;
            let log_probs = log_softmax(&masked(&logits, &rules)?)?;
            let log_probs = log_probs.to_dtype(DType::F64)?.to_vec2::<f64>()?;
            let mut grown = Vec::new();
            for (row, (parent, log_probs)) in beam.iter().zip(&log_probs).enumerate() {
                let all = children(parent, row, log_probs, rng).into_iter().enumerate();
                let rule = rules[row].as_ref();
                grown.extend(
                    all.filter(|(k, _)| rule.is_none_or(|allowed| allowed[*k])).map(|c| c.1),
                );
            }
            beam = best(grown, m);
        }
        Ok(beam.into_iter().map(|p| p.draw).collect())
    }
}

/// All continuations of `parent` by one choice, perturbed so that the largest equals the parent's own value.
fn children<R: Rng + ?Sized>(
    parent: &Partial,
    row: usize,
    log_probs: &[f64],
    rng: &mut R,
) -> Vec<Partial> {
    let free: Vec<f64> = log_probs.iter().map(|l| parent.log_prob + l + gumbel(rng)).collect();
    let largest = free.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let child = |(choice, (&g, l)): (usize, (&f64, &f64))| {
        let mut draw = parent.draw.clone();
        draw.actions.push(choice);
        let gumbel = truncate(parent.gumbel, largest, g);
        Partial { draw, row, log_prob: parent.log_prob + l, gumbel }
    };
    free.iter().zip(log_probs).enumerate().map(child).collect()
}

/// −ln(e^−limit − e^−largest + e^−g): maps the largest value to `limit` and keeps the order.
///
/// In the form of appendix B.3 of Kool et al., which neither overflows nor cancels.
fn truncate(limit: f64, largest: f64, g: f64) -> f64 {
    if g >= largest {
        return limit;
    }
    let v = limit - g + (-(g - largest).exp()).ln_1p();
    limit - v.max(0.0) - (-v.abs()).exp().ln_1p()
}

/// A draw from the standard Gumbel distribution.
fn gumbel<R: Rng + ?Sized>(rng: &mut R) -> f64 {
    let u: f64 = rng.random();
    // `u` can be 0, for which the logarithm has no value.
    -(-u.max(f64::MIN_POSITIVE).ln()).ln()
}

/// The `m` with the largest values, largest first; earlier ones first among equals.
fn best(mut partials: Vec<Partial>, m: usize) -> Vec<Partial> {
    partials.sort_by(|a, b| b.gumbel.total_cmp(&a.gumbel));
    partials.truncate(m);
    partials
}
