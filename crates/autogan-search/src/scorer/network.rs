//! [`forward`] runs the compact classifier in training, by the statistics of each batch.

use autogan_metrics::compact::{BN_EPS, ConvVars, Variables};
use autogan_ops as ops;
use candle_core::{Result, Tensor};

/// Share of the batch's statistics that enters the running ones.
const MOMENTUM: f64 = 0.1;

/// Returns logits `[N, K]` of an input `[N, 12, 16, 16]`. The batch's statistics enter the running ones.
pub(super) fn forward(variables: &Variables, input: &Tensor) -> Result<Tensor> {
    let mut x = input.clone();
    for (block, convs) in variables.convs.chunks_exact(2).enumerate() {
        if block > 0 {
            x = ops::avg_pool2(&x)?;
        }
        x = unit(&convs[0], &x)?;
        x = (&x + unit(&convs[1], &x)?)?;
    }
    let bias = variables.bias.as_tensor();
    ops::linear(&ops::avg_pool_global(&x)?, &variables.weight, Some(bias))
}

/// `relu(bn(conv(x)))`.
fn unit(conv: &ConvVars, x: &Tensor) -> Result<Tensor> {
    let h = ops::conv2d(x, &conv.weight, None)?;
    let out = ops::batch_norm_train(&h, &conv.scale, &conv.shift, BN_EPS, ops::Activation::Relu)?;
    let running = (conv.mean.as_tensor(), conv.var.as_tensor());
    ops::update_running(running, (&out.mean, &out.var), out.count, MOMENTUM)?;
    Ok(out.y)
}
