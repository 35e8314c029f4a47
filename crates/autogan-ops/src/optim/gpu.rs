//! This module runs Adam and the moving average on a GPU (optim.cu): all parameters of a step in one launch.

use candle_core::{Result, Tensor};

use crate::cuda::{self, Argument, Gpu, narrow, over_list};

/// One step of one parameter; the tensors share the memory of the variable, its gradient and its moments.
pub(super) struct Update {
    pub value: Tensor,
    pub grad: Tensor,
    pub m: Tensor,
    pub v: Tensor,
    /// The step size, corrected for the first moment's start at 0.
    pub size: f64,
    /// The root of what the second moment is corrected by.
    pub root: f64,
}

/// Takes one step of every parameter.
pub(super) fn adam(updates: &[Update], [beta1, beta2]: [f64; 2], eps: f64) -> Result<()> {
    let Some(first) = updates.first() else { return Ok(()) };
    let gradients: Vec<&Tensor> = updates.iter().map(|u| &u.grad).collect();
    let changed: Vec<&Tensor> = updates.iter().flat_map(|u| [&u.value, &u.m, &u.v]).collect();
    cuda::run("adam", &first.value, &gradients, &changed, |gpu: &dyn Gpu, grads, changed| {
        let (mut list, mut longest) = (Vec::new(), 0);
        for ((update, g), places) in updates.iter().zip(grads).zip(changed.chunks_exact(3)) {
            // `AdamTensor` of optim.cu: four addresses, a count, two numbers, a `float` that is not used.
            let count = update.value.elem_count();
            list.extend(
                [places[0].0, g.0, places[1].0, places[2].0].map(u64::to_ne_bytes).concat(),
            );
            let numbers = [update.size, update.root].map(|v| (v as f32).to_ne_bytes());
            list.extend([narrow(count)?.to_ne_bytes(), numbers[0], numbers[1], [0; 4]].concat());
            longest = longest.max(count);
        }
        let list = gpu.upload(&list)?;
        let float = |v: f64| Argument::Float(v as f32);
        let arguments = [
            Argument::Adam(list.address()),
            float(beta1),
            float(1.0 - beta1),
            float(beta2),
            float(1.0 - beta2),
            float(eps),
        ];
        over_list(gpu, "adam_step", (updates.len(), longest), &[&arguments])
    })
}

/// Sets `average = decay · average + (1 − decay) · value` for each pair.
pub(super) fn ema(pairs: &[(&Tensor, Tensor)], decay: f64) -> Result<()> {
    let Some((first, _)) = pairs.first() else { return Ok(()) };
    let (averages, values): (Vec<&Tensor>, Vec<&Tensor>) =
        pairs.iter().map(|(average, value)| (*average, value)).unzip();
    cuda::run("ema", first, &values, &averages, |gpu: &dyn Gpu, from, changed| {
        let (mut list, mut longest) = (Vec::new(), 0);
        for ((average, to), from) in averages.iter().zip(changed).zip(from) {
            // `EmaTensor` of optim.cu: two addresses, a count, an `int` that is not used.
            let count = average.elem_count();
            list.extend([to.0, from.0].map(u64::to_ne_bytes).concat());
            list.extend([narrow(count)?.to_ne_bytes(), [0; 4]].concat());
            longest = longest.max(count);
        }
        let list = gpu.upload(&list)?;
        let float = |v: f64| Argument::Float(v as f32);
        let arguments = [Argument::Ema(list.address()), float(decay), float(1.0 - decay)];
        over_list(gpu, "ema_step", (averages.len(), longest), &[&arguments])
    })
}
