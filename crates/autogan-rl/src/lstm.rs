//! [`lstm_step`] is the recurrent step, in PyTorch's `LSTMCell` layout: gates i, f, g, o stacked along the rows.

use autogan_ops::linear;
use candle_core::{Result, Tensor};

/// Hidden and cell vector of a batch, `[B, hidden]` each.
#[derive(Debug, Clone)]
pub(crate) struct LstmState {
    pub h: Tensor,
    pub c: Tensor,
}

/// The four tensors of an LSTM cell.
pub(crate) struct LstmWeights<'a> {
    /// `[4·hidden, inputs]`
    pub weight_ih: &'a Tensor,
    /// `[4·hidden, hidden]`
    pub weight_hh: &'a Tensor,
    /// `[4·hidden]`
    pub bias_ih: &'a Tensor,
    /// `[4·hidden]`
    pub bias_hh: &'a Tensor,
}

/// Takes one step for inputs `x` `[B, inputs]`.
pub(crate) fn lstm_step(w: &LstmWeights<'_>, x: &Tensor, state: &LstmState) -> Result<LstmState> {
    let gates = (linear(x, w.weight_ih, Some(w.bias_ih))?
        + linear(&state.h, w.weight_hh, Some(w.bias_hh))?)?;
    let gates = gates.chunk(4, 1)?;
    let (i, f) = (sigmoid(&gates[0])?, sigmoid(&gates[1])?);
    let (g, o) = (gates[2].tanh()?, sigmoid(&gates[3])?);
    let c = ((f * &state.c)? + (i * g)?)?;
    let h = (o * c.tanh()?)?;
    Ok(LstmState { h, c })
}

/// Logistic function through tanh: neither the value nor the gradient can overflow, as 1 / (1 + exp(−x)) does.
fn sigmoid(x: &Tensor) -> Result<Tensor> {
    ((x * 0.5)?.tanh()? * 0.5)? + 0.5
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn sigmoid_and_its_gradient_stay_finite_far_out() {
        let x = Var::new(&[-2000f32, -1.0, 0.0, 1.0, 2000.0], &Device::Cpu).unwrap();
        let y = sigmoid(&x).unwrap();
        let grads = y.sum_all().unwrap().backward().unwrap();
        let y = y.to_vec1::<f32>().unwrap();
        let dy = grads.get(&x).unwrap().to_vec1::<f32>().unwrap();
        let expected = [0.0, 0.268_941_4, 0.5, 0.731_058_6, 1.0];
        let slopes = [0.0, 0.196_611_9, 0.25, 0.196_611_9, 0.0];
        for i in 0..5 {
            assert!((y[i] - expected[i]).abs() < 1e-6, "{y:?}");
            assert!((dy[i] - slopes[i]).abs() < 1e-6, "{dy:?}");
        }
    }

    #[test]
    fn one_unit_matches_the_equations() {
        let device = Device::Cpu;
        let t = |v: &[f64], s: &[usize]| Tensor::from_slice(v, s, &device).unwrap();
        let (ih, hh) = (t(&[0.1, -0.2, 0.3, 0.4], &[4, 1]), t(&[0.5, 0.6, -0.7, 0.8], &[4, 1]));
        let (bi, bh) = (t(&[0.01, 0.02, 0.03, 0.04], &[4]), t(&[-0.1, 0.1, 0.2, -0.2], &[4]));
        let w = LstmWeights { weight_ih: &ih, weight_hh: &hh, bias_ih: &bi, bias_hh: &bh };
        let (x, h, c) = (1.5f64, -0.5f64, 0.25f64);
        let start = LstmState { h: t(&[h], &[1, 1]), c: t(&[c], &[1, 1]) };
        let next = lstm_step(&w, &t(&[x], &[1, 1]), &start).unwrap();
        let s = |v: f64| 1.0 / (1.0 + (-v).exp());
        let i = s(0.1 * x + 0.5 * h + 0.01 - 0.1);
        let f = s(-0.2 * x + 0.6 * h + 0.02 + 0.1);
        let g = (0.3 * x - 0.7 * h + 0.03 + 0.2).tanh();
        let o = s(0.4 * x + 0.8 * h + 0.04 - 0.2);
        let expected_c = f * c + i * g;
        let expected_h = o * expected_c.tanh();
        let value = |t: &Tensor| t.to_vec2::<f64>().unwrap()[0][0];
        assert!((value(&next.c) - expected_c).abs() < 1e-12);
        assert!((value(&next.h) - expected_h).abs() < 1e-12);
    }
}
