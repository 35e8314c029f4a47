//! The tape holds what operators note while gradients are being recorded; [`Recording::walk`] goes back over it.
//!
//! candle's own backward pass zeroes a tensor for each gradient, adds to it, and keeps every activation until the whole
//! pass is over; on large feature maps that costs as much as the operators. While a [`Recording`] lives, the operators
//! of this crate note their backward pass here instead of in candle's graph; the walk hands gradients on as they are,
//! adds only where two meet, and lets go of each activation once it has been used.
//!
//! candle's own operators know nothing of the tape. So that none of them hides a gradient, the output of a recorded
//! operator looks to candle like the result of an operator ([`Mark`]): whatever candle makes of it carries a graph, and
//! [`check`] refuses every tensor with a graph that the tape does not hold.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, DType, Layout, Result, Shape, Storage, Tensor, TensorId,
    Var, bail,
};

use crate::scope::holding;

/// The backward pass of an operator: from the gradient of its output to those of its inputs.
pub(crate) type Back = Box<dyn FnOnce(&Tensor) -> Result<Vec<Option<Tensor>>>>;

struct Record {
    /// The inputs that want a gradient.
    inputs: Vec<Option<TensorId>>,
    output: TensorId,
    back: Back,
}

#[derive(Default)]
struct Tape {
    records: Vec<Record>,
    outputs: HashSet<TensorId>,
    /// The variables that stand in candle's graph for everything before an output: one for each device.
    anchors: Vec<Var>,
}

thread_local! {
    static TAPE: RefCell<Option<Tape>> = const { RefCell::new(None) };
}

/// Whether gradients are being recorded on this thread.
pub(crate) fn recording() -> bool {
    TAPE.with_borrow(Option::is_some)
}

/// Whether a gradient of this tensor is wanted, by candle or by the tape.
pub(crate) fn tracked(t: &Tensor) -> bool {
    t.track_op()
}

/// Whether the tape holds the operator that made this tensor.
fn recorded(t: &Tensor) -> bool {
    TAPE.with_borrow(|tape| tape.as_ref().is_some_and(|tape| tape.outputs.contains(&t.id())))
}

/// Refuses what candle made of a variable or of a recorded tensor, and what another recording made.
pub(crate) fn check(inputs: &[&Tensor]) -> Result<()> {
    if inputs.iter().any(|t| t.track_op() && !t.is_variable() && !recorded(t)) {
        bail!(
            "gradients: an input was made from a variable or a recorded tensor by an operator of candle, or in another \
             recording, so its gradient would be lost: use the operators of autogan-ops, or `detach` what is constant"
        );
    }
    Ok(())
}

/// Puts the operator that made `output` on the tape; nothing without a recording, or where no input wants a gradient.
/// It fails when [`check`] does.
pub(crate) fn note(inputs: &[&Tensor], output: &Tensor, back: Back) -> Result<()> {
    if !recording() || !inputs.iter().any(|t| tracked(t)) {
        return Ok(());
    }
    check(inputs)?;
    let inputs = inputs.iter().map(|t| tracked(t).then(|| t.id())).collect();
    TAPE.with_borrow_mut(|tape| {
        if let Some(tape) = tape {
            tape.outputs.insert(output.id());
            tape.records.push(Record { inputs, output: output.id(), back });
        }
    });
    Ok(())
}

/// The tensor that a recorded operator made; candle sees an operator behind it.
pub(crate) fn output(made: (Storage, Shape)) -> Result<Tensor> {
    let device = made.0.device();
    let anchor = TAPE.with_borrow_mut(|tape| {
        let Some(tape) = tape else { bail!("gradients: nothing is being recorded") };
        if let Some(anchor) = tape.anchors.iter().find(|a| a.device().same_device(&device)) {
            return Ok(anchor.clone());
        }
        let anchor = Var::zeros((), DType::F32, &device)?;
        tape.anchors.push(anchor.clone());
        Ok(anchor)
    })?;
    anchor.apply_op1(Mark(Mutex::new(Some(made))))
}

/// The operator that candle sees: it hands over what was made before.
struct Mark(Mutex<Option<(Storage, Shape)>>);

impl Mark {
    fn take(&self) -> Option<(Storage, Shape)> {
        self.0.lock().ok()?.take()
    }
}

impl CustomOp1 for Mark {
    fn name(&self) -> &'static str {
        "recorded"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        match self.take() {
            Some((Storage::Cpu(storage), shape)) => Ok((storage, shape)),
            _ => bail!("gradients: expected an output on the CPU"),
        }
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        match self.take() {
            Some((Storage::Cuda(storage), shape)) => Ok((storage, shape)),
            _ => bail!("gradients: expected an output on a GPU"),
        }
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        bail!(
            "a tensor that was made in `gradients` has no gradient in candle's graph: `detach` it if it is constant, or \
             make it outside"
        )
    }
}

/// Runs `f` without the tape of this thread: a thread that waits for others may take up any work, this too.
pub(crate) fn apart<R>(f: impl FnOnce() -> R) -> R {
    holding(&TAPE, None, f)
}

/// The recording of this thread: the thread has a tape while this lives.
pub(crate) struct Recording;

impl Recording {
    /// Starts a tape.
    ///
    /// # Errors
    /// When there is one already.
    pub fn start() -> Result<Self> {
        TAPE.with_borrow_mut(|tape| {
            if tape.is_some() {
                bail!("gradients: called while gradients are being recorded");
            }
            *tape = Some(Tape::default());
            Ok(Self)
        })
    }

    /// The gradients of `value` for every variable; `sum` adds two that meet.
    ///
    /// # Errors
    /// When `value` is not one number that a recorded operator made; those of the operators.
    pub fn walk(
        &self,
        value: &Tensor,
        sum: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
    ) -> Result<HashMap<TensorId, Tensor>> {
        if value.elem_count() != 1 || !recorded(value) {
            bail!(
                "gradients: expected one number made by a recorded operator, found a tensor {:?}{}",
                value.dims(),
                if recorded(value) { "" } else { " made otherwise, as by an operator of candle" }
            );
        }
        let records =
            TAPE.with_borrow_mut(|tape| tape.as_mut().map(|t| std::mem::take(&mut t.records)));
        let mut gradients = HashMap::from([(value.id(), value.ones_like()?)]);
        for Record { inputs, output, back } in records.unwrap_or_default().into_iter().rev() {
            let Some(dy) = gradients.remove(&output) else { continue };
            for (input, gradient) in inputs.into_iter().zip(back(&dy)?) {
                let (Some(input), Some(gradient)) = (input, gradient) else { continue };
                let all = match gradients.remove(&input) {
                    Some(other) => sum(&other, &gradient)?,
                    None => gradient,
                };
                gradients.insert(input, all);
            }
        }
        if gradients.is_empty() {
            bail!("gradients: no variable received a gradient");
        }
        Ok(gradients)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        TAPE.with_borrow_mut(|tape| *tape = None);
    }
}
