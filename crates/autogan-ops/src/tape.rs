//! Reverse-mode differentiation of our operators, without candle's bookkeeping.
//!
//! candle's own backward pass zeroes a tensor for each gradient, adds to it, and keeps every activation until the whole
//! pass is over; on large feature maps that costs as much as the operators. While [`gradients`] runs a function, the
//! operators of this crate note their inputs and outputs here instead of in candle's graph; the walk back hands
//! gradients on as they are, adds only where two meet, and lets go of each activation once it has been used. Outside of
//! [`gradients`] the same operators take part in candle's graph, with the same formulae.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use candle_core::backprop::GradStore;
use candle_core::{CustomOp1, CustomOp2, CustomOp3, Result, Tensor, TensorId, bail};

use crate::precision::{self, computing_in};
use crate::{add, cuda};

/// The gradient of a view's input from that of its output.
type ViewBack = Box<dyn Fn(&Tensor) -> Result<Vec<Tensor>>>;

enum Op {
    One(Box<dyn CustomOp1>),
    Two(Box<dyn CustomOp2>),
    Three(Box<dyn CustomOp3>),
    View(ViewBack),
}

/// Which tensors the way back of an operator reads. The others are let go of.
#[derive(Clone, Copy)]
pub(crate) struct Keep {
    pub inputs: bool,
    pub output: bool,
}

impl Keep {
    /// Neither inputs nor output.
    pub const NOTHING: Self = Self { inputs: false, output: false };
    /// The inputs.
    pub const INPUTS: Self = Self { inputs: true, output: false };
}

struct Record {
    op: Op,
    inputs: Vec<Slot>,
    output: Slot,
}

/// A tensor of a record, or just its shape where its values are not needed.
struct Slot {
    id: TensorId,
    value: Tensor,
    tracked: bool,
}

impl Slot {
    fn new(t: &Tensor, keep: bool) -> Result<Self> {
        let value = if keep {
            t.clone()
        } else {
            // One element that looks like all of them.
            Tensor::zeros((), t.dtype(), t.device())?.broadcast_as(t.shape())?
        };
        Ok(Self { id: t.id(), value, tracked: tracked(t) })
    }
}

#[derive(Default)]
struct Tape {
    records: Vec<Record>,
    /// Whose gradients are wanted: outputs of records, and what stands for tensors that were let go of.
    outputs: HashSet<TensorId>,
}

thread_local! {
    static TAPE: RefCell<Option<Tape>> = const { RefCell::new(None) };
}

/// Gradients by variable.
#[derive(Debug, Default)]
pub struct Gradients(HashMap<TensorId, Tensor>);

impl Gradients {
    /// The gradients of the sum of both values.
    ///
    /// # Errors
    /// When a variable's gradients differ in element type.
    pub fn plus(mut self, other: Self) -> Result<Self> {
        for (id, gradient) in other.0 {
            let sum = match self.0.remove(&id) {
                Some(own) => add(&own, &gradient)?,
                None => gradient,
            };
            self.0.insert(id, sum);
        }
        Ok(self)
    }
}

/// For optimisers that are written for candle's own gradients.
impl From<Gradients> for GradStore {
    fn from(gradients: Gradients) -> Self {
        let mut store = Self::default();
        for (id, gradient) in gradients.0 {
            store.insert_id(id, gradient);
        }
        store
    }
}

/// Where an optimizer finds the gradients of its parameters.
pub trait GradientOf {
    /// The gradient of a variable; `None` where the loss does not depend on it.
    fn gradient_of(&self, variable: &Tensor) -> Option<&Tensor>;
}

impl GradientOf for Gradients {
    fn gradient_of(&self, variable: &Tensor) -> Option<&Tensor> {
        self.0.get(&variable.id())
    }
}

impl GradientOf for GradStore {
    fn gradient_of(&self, variable: &Tensor) -> Option<&Tensor> {
        self.get(variable)
    }
}

/// The value of `f`, one number, and its gradient for every variable that it depends on through operators of this
/// crate. What `f` computes with candle's own operators counts as constant, activations included. Candle's `detach`
/// returns a recorded tensor as it is; what is to count as constant is best made before.
///
/// # Errors
/// Those of `f`; when its value is not one number or was not made by an operator of this crate; when calls are nested.
pub fn gradients<E: From<candle_core::Error>>(
    f: impl FnOnce() -> std::result::Result<Tensor, E>,
) -> std::result::Result<(Tensor, Gradients), E> {
    let recording = Recording::start()?;
    let value = f()?;
    let gradients = recording.walk(&value)?;
    Ok((value, gradients))
}

/// Runs both functions, at the same time where threads are free; one after the other where tensors like `beside` are on a
/// card, on which what they launch queues up anyway. What either does is no part of gradients that are
/// being recorded around it; each may record gradients of its own. Both compute in the precision of the scope around this
/// call ([`computing_in`]). Neither may set a variable that the other reads.
pub fn join<A: Send, B: Send>(
    beside: &Tensor,
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B + Send,
) -> (A, B) {
    let precision = precision::current();
    let a = move || apart(|| computing_in(precision, a));
    let b = move || apart(|| computing_in(precision, b));
    if cuda::taken(beside) { (a(), b()) } else { rayon::join(a, b) }
}

/// Runs `f` without the tape of this thread: a thread that waits for others may take up any work, this too.
fn apart<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Tape>);
    impl Drop for Restore {
        fn drop(&mut self) {
            TAPE.with_borrow_mut(|tape| *tape = self.0.take());
        }
    }
    let _restore = Restore(TAPE.with_borrow_mut(Option::take));
    f()
}

/// The tape of this thread is there while this is.
struct Recording;

impl Recording {
    fn start() -> Result<Self> {
        TAPE.with_borrow_mut(|tape| {
            if tape.is_some() {
                bail!("gradients: called while gradients are being recorded");
            }
            *tape = Some(Tape::default());
            Ok(Self)
        })
    }

    fn walk(&self, value: &Tensor) -> Result<Gradients> {
        let records =
            TAPE.with_borrow_mut(|tape| tape.as_mut().map(|t| std::mem::take(&mut t.records)));
        if value.elem_count() != 1 || !recorded(value) {
            bail!(
                "gradients: expected one number made by a recorded operator, found a tensor {:?}",
                value.dims()
            );
        }
        let mut grads = HashMap::from([(value.id(), value.ones_like()?)]);
        for record in records.unwrap_or_default().into_iter().rev() {
            let Some(dy) = grads.remove(&record.output.id) else { continue };
            for (input, gradient) in record.inputs.iter().zip(record.back(&dy)?) {
                let Some(gradient) = gradient.filter(|_| input.tracked) else { continue };
                let sum = match grads.remove(&input.id) {
                    Some(other) => add(&other, &gradient)?,
                    None => gradient,
                };
                grads.insert(input.id, sum);
            }
        }
        if grads.is_empty() {
            bail!(
                "gradients: no variable received a gradient; the function goes through an operator of candle"
            );
        }
        Ok(Gradients(grads))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        TAPE.with_borrow_mut(|tape| *tape = None);
    }
}

impl Record {
    fn back(&self, dy: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let (x, y) = (|i: usize| &self.inputs[i].value, &self.output.value);
        Ok(match &self.op {
            Op::One(op) => vec![op.bwd(x(0), y, dy)?],
            Op::Two(op) => {
                let (a, b) = op.bwd(x(0), x(1), y, dy)?;
                vec![a, b]
            }
            Op::Three(op) => {
                let (a, b, c) = op.bwd(x(0), x(1), x(2), y, dy)?;
                vec![a, b, c]
            }
            Op::View(back) => back(dy)?.into_iter().map(Some).collect(),
        })
    }
}

/// Whether the tape holds the operator that made this tensor.
fn recorded(t: &Tensor) -> bool {
    TAPE.with_borrow(|tape| tape.as_ref().is_some_and(|tape| tape.outputs.contains(&t.id())))
}

/// Whether a gradient of this tensor is wanted, by candle or by the tape.
pub(crate) fn tracked(t: &Tensor) -> bool {
    t.track_op() || recorded(t)
}

fn recording() -> bool {
    TAPE.with_borrow(Option::is_some)
}

/// Notes an operator if one of its inputs wants a gradient.
fn note(op: Op, inputs: &[&Tensor], output: &Tensor, keep: Keep) -> Result<()> {
    if !inputs.iter().any(|t| tracked(t)) {
        return Ok(());
    }
    if inputs.iter().any(|t| t.track_op() && !t.is_variable()) {
        bail!(
            "gradients: an input was made from a variable by an operator of candle, whose gradient would be lost"
        );
    }
    let inputs: Vec<Slot> =
        inputs.iter().map(|t| Slot::new(t, keep.inputs)).collect::<Result<_>>()?;
    let output = Slot::new(output, keep.output)?;
    TAPE.with_borrow_mut(|tape| {
        if let Some(tape) = tape {
            tape.outputs.insert(output.id);
            // Operators ask whether a gradient is wanted by the tensor that they are given.
            tape.outputs.extend(inputs.iter().filter(|i| i.tracked).map(|i| i.value.id()));
            tape.records.push(Record { op, inputs, output });
        }
    });
    Ok(())
}

/// Runs an operator with one input.
pub(crate) fn apply1(
    x: &Tensor,
    op: impl CustomOp1 + Send + Sync + 'static,
    keep: Keep,
) -> Result<Tensor> {
    if !recording() {
        return x.apply_op1(op);
    }
    let y = x.apply_op1_no_bwd(&op)?;
    note(Op::One(Box::new(op)), &[x], &y, keep)?;
    Ok(y)
}

/// Runs an operator with two inputs.
pub(crate) fn apply2(
    a: &Tensor,
    b: &Tensor,
    op: impl CustomOp2 + Send + Sync + 'static,
    keep: Keep,
) -> Result<Tensor> {
    if !recording() {
        return a.apply_op2(b, op);
    }
    let y = a.apply_op2_no_bwd(b, &op)?;
    note(Op::Two(Box::new(op)), &[a, b], &y, keep)?;
    Ok(y)
}

/// Runs an operator with three inputs, which its way back reads.
pub(crate) fn apply3(
    a: &Tensor,
    b: &Tensor,
    c: &Tensor,
    op: impl CustomOp3 + Send + Sync + 'static,
) -> Result<Tensor> {
    if !recording() {
        return a.apply_op3(b, c, op);
    }
    let y = a.apply_op3_no_bwd(b, c, &op)?;
    note(Op::Three(Box::new(op)), &[a, b, c], &y, Keep::INPUTS)?;
    Ok(y)
}

/// The same elements in another shape.
///
/// # Errors
/// When the shapes have different numbers of elements.
pub fn reshape(x: &Tensor, shape: &[usize]) -> Result<Tensor> {
    if !recording() {
        return x.reshape(shape);
    }
    let y = x.detach().reshape(shape)?;
    let from = x.dims().to_vec();
    note(
        Op::View(Box::new(move |dy| Ok(vec![dy.reshape(from.as_slice())?]))),
        &[x],
        &y,
        Keep::NOTHING,
    )?;
    Ok(y)
}

/// The dimensions in another order, contiguous.
///
/// # Errors
/// When `order` does not name each dimension once.
pub fn permute(x: &Tensor, order: &[usize]) -> Result<Tensor> {
    if !recording() {
        return x.permute(order)?.contiguous();
    }
    let y = x.detach().permute(order)?.contiguous()?;
    let mut back = vec![0; order.len()];
    for (to, &from) in order.iter().enumerate() {
        back[from] = to;
    }
    note(
        Op::View(Box::new(move |dy| Ok(vec![dy.permute(back.as_slice())?.contiguous()?]))),
        &[x],
        &y,
        Keep::NOTHING,
    )?;
    Ok(y)
}

/// Vectors one after the other: `[A]`, `[B]`, … → `[A + B + …]`.
///
/// # Errors
/// When they are not vectors of one element type.
pub fn concat(vectors: &[&Tensor]) -> Result<Tensor> {
    if !recording() {
        return Tensor::cat(vectors, 0);
    }
    let detached: Vec<Tensor> = vectors.iter().map(|v| v.detach()).collect();
    let y = Tensor::cat(&detached, 0)?;
    let lengths: Vec<usize> = vectors.iter().map(|v| v.elem_count()).collect();
    let back = move |dy: &Tensor| {
        let mut at = 0;
        lengths
            .iter()
            .map(|&length| {
                at += length;
                dy.narrow(0, at - length, length)?.contiguous()
            })
            .collect()
    };
    note(Op::View(Box::new(back)), vectors, &y, Keep::NOTHING)?;
    Ok(y)
}
