//! These pure functions are the REINFORCE losses.
//!
//! They follow section 3.3 of the paper, and Williams, *Simple statistical gradient-following algorithms* (1992).
//! Shapes: `log_probs` and `entropies` are `[B, T]` as in [`crate::Rollout`], in nats.

use candle_core::{DType, Tensor};

use crate::BaselineOrder;
use crate::error::{Result, RlError};

/// Mean over the batch of −Σ_t log π_t · stop_grad(A) − c · Σ_t H_t, with A = R − b: the project's default.
///
/// `advantages` holds A for each row. The entropy term is differentiated: minimising raises entropy. Returns a scalar.
///
/// # Errors
/// When there is not one advantage for each row.
pub fn advantage_loss(
    log_probs: &Tensor,
    entropies: &Tensor,
    advantages: &[f64],
    entropy_weight: f64,
) -> Result<Tensor> {
    let policy = policy_term(log_probs, advantages)?;
    let bonus = (entropies.sum(1)? * entropy_weight)?;
    batch_mean(&(policy - bonus)?)
}

/// Mean over the batch of −Σ_t log π_t · stop_grad(R + c · Σ_t H_t − b): the paper's text, which adds the entropy
/// to the reward.
///
/// `advantages` holds R + c · Σ_t H_t − b for each row ([`crate::Reinforce`] makes them). Nothing of the entropy is
/// differentiated: an architecture that was drawn from a broad distribution counts as a better one. Returns a scalar.
///
/// # Errors
/// When there is not one advantage for each row.
pub fn entropy_in_reward_loss(log_probs: &Tensor, advantages: &[f64]) -> Result<Tensor> {
    batch_mean(&policy_term(log_probs, advantages)?)
}

/// The results of one step of the released loss.
#[derive(Debug, Clone)]
pub struct ReleasedStep {
    /// The loss, a scalar.
    pub loss: Tensor,
    /// adv_t, one for each token.
    pub advantages: Vec<f64>,
    /// The b_t that were subtracted, one for each token.
    pub subtracted: Vec<f64>,
    /// b_t after this step, one for each token.
    pub baseline: Vec<f64>,
}

/// −(Σ_t log π_t)(Σ_t adv_t) with adv_t = r_t − b_t, r_t = R + c · H_t: the released code, quirks included.
///
/// The source is `train_controller` in `functions.py` of VITA-Group/AutoGAN at a5eeef0. H is *not* detached, so that
/// the gradient through it has the wrong sign; b_t, one for each token, is `decay · b_t + (1 − decay) · r_t`, brought
/// up to date before it is subtracted ([`BaselineOrder::UpdateThenSubtract`]) and then differentiated too, except for
/// its old part. `previous` is b_t before this step; without it b_t = r_t, hence adv_t = 0 and no gradient at all.
///
/// # Errors
/// When the batch is not 1, where the released code fails as well, or `previous` has not `T` values.
pub fn released_loss(
    log_probs: &Tensor,
    entropies: &Tensor,
    reward: f64,
    previous: Option<&[f64]>,
    decay: f64,
    order: BaselineOrder,
    entropy_weight: f64,
) -> Result<ReleasedStep> {
    let (batch, tokens) = log_probs.dims2()?;
    if batch != 1 {
        return Err(RlError::ReleasedBatch(batch));
    }
    let rewards = ((entropies * entropy_weight)? + reward)?;
    let known = |old: &[f64]| -> Result<Tensor> {
        RlError::check_length("previous baseline", tokens, old.len(), "token")?;
        let old = Tensor::from_slice(old, (1, tokens), rewards.device())?;
        Ok(old.to_dtype(rewards.dtype())?)
    };
    let previous = previous.map(known).transpose()?;
    let updated = match &previous {
        None => rewards.clone(),
        Some(old) => ((old * decay)? + (&rewards * (1.0 - decay))?)?,
    };
    let subtracted = match order {
        BaselineOrder::UpdateThenSubtract => updated.clone(),
        BaselineOrder::SubtractThenUpdate => previous.unwrap_or_else(|| updated.detach()),
    };
    let advantages = (&rewards - &subtracted)?;
    Ok(ReleasedStep {
        loss: (log_probs.sum_all()? * advantages.sum_all()?)?.neg()?,
        advantages: host_row(&advantages)?,
        subtracted: host_row(&subtracted)?,
        baseline: host_row(&updated)?,
    })
}

/// −Σ_t log π_t · A for each row, `[B]`.
fn policy_term(log_probs: &Tensor, advantages: &[f64]) -> Result<Tensor> {
    let rows = log_probs.dim(0)?;
    RlError::check_length("advantages", rows, advantages.len(), "row of the batch")?;
    let advantages = Tensor::from_slice(advantages, rows, log_probs.device())?;
    Ok((log_probs.sum(1)? * advantages.to_dtype(log_probs.dtype())?.neg()?)?)
}

/// The only place where losses of several rows are joined: what several processes would share goes through here.
fn batch_mean(rows: &Tensor) -> Result<Tensor> {
    Ok(rows.mean_all()?)
}

fn host_row(row: &Tensor) -> Result<Vec<f64>> {
    Ok(row.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    const LOG_PROBS: [[f64; 2]; 3] = [[-0.5, -1.0], [-2.0, -0.25], [-0.75, -0.5]];
    const ENTROPIES: [[f64; 2]; 3] = [[0.5, 1.0], [0.6, 0.4], [0.2, 0.3]];

    /// Compares a loss of so many rows and its gradients by log π and by H.
    #[track_caller]
    fn check(
        rows: usize,
        loss: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
        (expected, dl, dh): (f64, &[f64], &[f64]),
    ) {
        let var = |values: &[[f64; 2]]| {
            Var::from_slice(values[..rows].as_flattened(), (rows, 2), &Device::Cpu).unwrap()
        };
        let (l, h) = (var(&LOG_PROBS), var(&ENTROPIES));
        let loss = loss(&l, &h).unwrap();
        let grads = loss.backward().unwrap();
        close(&[loss.to_scalar().unwrap()], &[expected]);
        for (var, expected) in [(l, dl), (h, dh)] {
            match grads.get(&var) {
                Some(g) => close(&host_row(g).unwrap(), expected),
                None => close(&vec![0.0; 2 * rows], expected),
            }
        }
    }

    #[track_caller]
    fn close(found: &[f64], expected: &[f64]) {
        let fits = found.len() == expected.len()
            && found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-12);
        assert!(fits, "expected {expected:?}, found {found:?}");
    }

    #[test]
    fn the_entropy_bonus_is_differentiated() {
        // 1.5 · 2 − 0.1 · 1.5
        let loss = |l: &Tensor, h: &Tensor| advantage_loss(l, h, &[2.0], 0.1);
        check(1, loss, (2.85, &[-2.0; 2], &[-0.1; 2]));
        // Rows: 1.5 · 2 − 0.45 = 2.55; 2.25 · −1 − 0.3 = −2.55; 1.25 · 0.4 − 0.15 = 0.35.
        let loss = |l: &Tensor, h: &Tensor| advantage_loss(l, h, &[2.0, -1.0, 0.4], 0.3);
        let dl = [-2.0, -2.0, 1.0, 1.0, -0.4, -0.4].map(|v| v / 3.0);
        check(3, loss, (0.35 / 3.0, &dl, &[-0.1; 6]));
    }

    #[test]
    fn entropy_in_the_reward_is_not_differentiated() {
        // R = 3, b = 1.2, c = 0.1: A = 3 + 0.1 · 1.5 − 1.2 = 1.95.
        let loss = |l: &Tensor, h: &Tensor| {
            let raised = h.sum(1)?.to_vec1::<f64>()?[0] * 0.1 + 3.0 - 1.2;
            entropy_in_reward_loss(l, &[raised])
        };
        check(1, loss, (1.5 * 1.95, &[-1.95; 2], &[0.0; 2]));
        let loss = |l: &Tensor, _: &Tensor| entropy_in_reward_loss(l, &[1.95, -0.5, 0.8]);
        let dl = [-1.95, -1.95, 0.5, 0.5, -0.8, -0.8].map(|v| v / 3.0);
        check(3, loss, ((1.5 * 1.95 - 2.25 * 0.5 + 1.25 * 0.8) / 3.0, &dl, &[0.0; 6]));
    }

    #[track_caller]
    fn check_released(
        previous: Option<&[f64]>,
        order: BaselineOrder,
        expected: (f64, &[f64], &[f64]),
    ) {
        let loss =
            |l: &Tensor, h: &Tensor| Ok(released_loss(l, h, 3.0, previous, 0.9, order, 0.1)?.loss);
        check(1, loss, expected);
    }

    #[test]
    fn released_loss_has_the_quirks_of_the_released_code() {
        let previous = Some(&[2.0, 2.5][..]);
        // r = 3 + 0.1 · (0.5, 1.0) = (3.05, 3.1); old b = (2, 2.5); adv = 0.9 · (r − b) = (0.945, 0.54).
        // −Σ log π · 0.9 · c: positive, so descending *lowers* the entropy.
        let expected = (1.5 * 1.485, &[-1.485; 2][..], &[1.5 * 0.9 * 0.1; 2][..]);
        check_released(previous, BaselineOrder::UpdateThenSubtract, expected);
        let expected = (1.5 * 1.65, &[-1.65; 2][..], &[1.5 * 0.1; 2][..]);
        check_released(previous, BaselineOrder::SubtractThenUpdate, expected);
    }

    #[test]
    fn the_first_released_step_learns_nothing() {
        check_released(None, BaselineOrder::UpdateThenSubtract, (0.0, &[0.0; 2], &[0.0; 2]));
        // Subtracted before the update, the first baseline is a constant: the entropy still gets its gradient.
        check_released(None, BaselineOrder::SubtractThenUpdate, (0.0, &[0.0; 2], &[1.5 * 0.1; 2]));
    }

    #[test]
    fn released_baseline_is_kept_for_each_token() {
        let tensor = |row: &[f64]| Tensor::from_slice(row, (1, 2), &Device::Cpu).unwrap();
        let (l, h) = (tensor(&LOG_PROBS[0]), tensor(&ENTROPIES[0]));
        let order = BaselineOrder::UpdateThenSubtract;
        let first = released_loss(&l, &h, 3.0, None, 0.9, order, 0.1).unwrap();
        close(&first.baseline, &[3.05, 3.1]);
        let second = released_loss(&l, &h, 4.0, Some(&first.baseline), 0.9, order, 0.1).unwrap();
        close(&second.baseline, &[3.15, 3.2]);
        close(&second.advantages, &[0.9, 0.9]);
        close(&second.subtracted, &second.baseline);
        let order = BaselineOrder::SubtractThenUpdate;
        let third = released_loss(&l, &h, 4.0, Some(&first.baseline), 0.9, order, 0.1).unwrap();
        close(&third.subtracted, &[3.05, 3.1]);
        assert!(released_loss(&l, &h, 4.0, Some(&[1.0]), 0.9, order, 0.1).is_err());
    }

    #[test]
    fn wrong_batches_are_errors() {
        let rows = Tensor::zeros((3, 2), DType::F64, &Device::Cpu).unwrap();
        let order = BaselineOrder::UpdateThenSubtract;
        let error = released_loss(&rows, &rows, 1.0, None, 0.9, order, 0.1).unwrap_err();
        assert!(matches!(error, RlError::ReleasedBatch(3)), "{error}");
        assert!(advantage_loss(&rows, &rows, &[1.0], 0.1).is_err());
        assert!(entropy_in_reward_loss(&rows, &[1.0, 2.0]).is_err());
    }
}
