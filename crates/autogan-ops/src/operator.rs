//! The frame runs an operator that has a gradient on the CPU, on a GPU, on the tape and in candle's graph. [`Operator`]
//! is what an operator has to define; the section of ARCHITECTURE.md on the frame shows how to write one.

use candle_core::backend::BackendStorage;
use candle_core::op::BackpropOp;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp2, CustomOp3, DType, Error, Layout, Result, Shape,
    Storage, Tensor, WithDType,
};

use crate::cuda::{self, Floats, Gpu};
use crate::host::{Storages, host, slice, tensor, with_storages};
use crate::real::{Real, dispatch};
use crate::tape::{self, tracked};

/// The tensors that an operator keeps for its backward pass. It drops the others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    Inputs,
    Output,
}

/// The values that gradients are made from: elements on the CPU, addresses on a GPU. What [`Operator::KEEP`] leaves out
/// is empty or null.
#[derive(Clone, Copy)]
pub(crate) struct Basis<V, const N: usize> {
    /// The inputs whose gradient is to be computed.
    pub wanted: [bool; N],
    /// The inputs.
    pub x: [V; N],
    /// The output.
    pub y: V,
    /// The gradient of the output.
    pub dy: V,
}

/// The gradients of an operator's inputs; none where none is wanted.
pub(crate) type Gradients<T, const N: usize> = Result<[Option<Vec<T>>; N]>;

/// An operator with `N` inputs of one element type, one to three: what it has to define. All tensors are contiguous.
pub(crate) trait Operator<const N: usize>: Send + Sync + 'static {
    /// Its name, for messages.
    const NAME: &'static str;
    /// The tensors that the backward pass reads.
    const KEEP: Keep;
    /// The inputs whose gradient is that of the output, as it is: nothing is computed for them.
    const PASSED: [bool; N] = [false; N];
    /// Computes the output's elements from those of the inputs.
    fn forward<T: Real>(&self, x: [&[T]; N]) -> Result<Vec<T>>;
    /// Computes the gradients of the wanted inputs.
    fn backward<T: Real>(&self, given: Basis<&[T], N>) -> Gradients<T, N>;
    /// [`Self::forward`] on a GPU: launches what writes `y`.
    fn launch_forward(&self, gpu: &dyn Gpu, x: [Floats; N], y: Floats) -> Result<()>;
    /// [`Self::backward`] on a GPU: launches what writes the gradients; null where none is wanted.
    fn launch_backward(&self, gpu: &dyn Gpu, at: Basis<Floats, N>, dx: [Floats; N]) -> Result<()>;
}

/// Runs an operator whose output has this shape: on the tape while gradients are being recorded, else in candle's
/// graph. It fails when the operator does, and on the tape when an input has a gradient that the tape cannot know.
pub(crate) fn apply<const N: usize, O: Operator<N>>(
    inputs: [&Tensor; N],
    shape: impl Into<Shape>,
    op: O,
) -> Result<Tensor>
where
    Frame<N, O>: InGraph<N>,
{
    let inputs = all(inputs.map(Tensor::contiguous))?;
    if !tape::recording() {
        return Frame { op, shape: shape.into() }.in_graph(inputs.each_ref());
    }
    let wanted = inputs.each_ref().map(tracked);
    if !wanted.contains(&true) {
        return evaluate(inputs.each_ref(), shape, op);
    }
    tape::check(&inputs.each_ref())?;
    let op = Frame { op, shape: shape.into() };
    let y = tape::output(op.run(inputs.each_ref())?)?;
    let shapes = inputs.each_ref().map(|x| x.shape().clone());
    let kept_x = (O::KEEP == Keep::Inputs).then(|| inputs.clone());
    let kept_y = (O::KEEP == Keep::Output).then(|| y.clone());
    let back = move |dy: &Tensor| {
        let kept = Tensors {
            x: kept_x.as_ref().map(|x| x.each_ref()),
            y: kept_y.as_ref(),
            shapes: shapes.each_ref(),
        };
        Ok(op.back(kept, dy, wanted)?.into())
    };
    tape::note(&inputs.each_ref(), &y, Box::new(back))?;
    Ok(y)
}

/// Runs an operator whose output has this shape and is a constant, whatever its inputs are.
pub(crate) fn evaluate<const N: usize, O: Operator<N>>(
    inputs: [&Tensor; N],
    shape: impl Into<Shape>,
    op: O,
) -> Result<Tensor> {
    let inputs = all(inputs.map(Tensor::contiguous))?;
    let (made, shape) = Frame { op, shape: shape.into() }.run(inputs.each_ref())?;
    Ok(Tensor::from_storage(made, shape, BackpropOp::none(), false))
}

/// The element types of inputs and outputs on a GPU.
const FLOATS: (DType, DType) = (DType::F32, DType::F32);

/// All results in an array, or the first error.
fn all<V, const N: usize>(results: [Result<V>; N]) -> Result<[V; N]> {
    let found = results.into_iter().collect::<Result<Vec<V>>>()?;
    found.try_into().map_err(|_| Error::msg("an array lost an element"))
}

/// An operator with `N` inputs as candle runs it, and the shape of its output.
pub(crate) struct Frame<const N: usize, O> {
    op: O,
    shape: Shape,
}

/// Runs an operator with `N` inputs in candle's graph.
pub(crate) trait InGraph<const N: usize> {
    fn in_graph(self, inputs: [&Tensor; N]) -> Result<Tensor>;
}

/// The tensors that the backward pass has at hand.
struct Tensors<'a, const N: usize> {
    x: Option<[&'a Tensor; N]>,
    y: Option<&'a Tensor>,
    shapes: [&'a Shape; N],
}

impl<const N: usize, O: Operator<N>> Frame<N, O> {
    fn run(&self, inputs: [&Tensor; N]) -> Result<(Storage, Shape)> {
        with_storages(O::NAME, inputs[0].device(), &inputs, |open| match open {
            Storages::Cpu(from) => self.cpu(&from).map(|(made, shape)| (Storage::Cpu(made), shape)),
            Storages::Cuda(from) => {
                self.cuda(&from).map(|(made, shape)| (Storage::Cuda(made), shape))
            }
        })
    }

    fn cpu(&self, from: &[(&CpuStorage, &Layout)]) -> Result<(CpuStorage, Shape)> {
        let shape = self.shape.clone();
        if cuda::stands_in() {
            let launch = |gpu: &dyn Gpu, x: &[u64], y| self.launch(gpu, x, y);
            return Ok((cuda::emulated(O::NAME, from, FLOATS, shape.elem_count(), launch)?, shape));
        }
        dispatch!(O::NAME, from[0].0.dtype(), T => {
            let x = std::array::from_fn(|i| slice::<T>(O::NAME, from[i].0, from[i].1));
            Ok((T::to_cpu_storage_owned(self.op.forward(all(x)?)?), shape))
        })
    }

    fn cuda(&self, from: &[(&CudaStorage, &Layout)]) -> Result<(CudaStorage, Shape)> {
        let (count, launch) =
            (self.shape.elem_count(), |gpu: &dyn Gpu, x: &[u64], y| self.launch(gpu, x, y));
        Ok((cuda::forward(O::NAME, from, FLOATS, count, launch)?, self.shape.clone()))
    }

    fn launch(&self, gpu: &dyn Gpu, x: &[u64], y: u64) -> Result<()> {
        self.op.launch_forward(gpu, std::array::from_fn(|i| Floats(x[i])), Floats(y))
    }

    fn back(
        &self,
        kept: Tensors<'_, N>,
        dy: &Tensor,
        wanted: [bool; N],
    ) -> Result<[Option<Tensor>; N]> {
        let made = std::array::from_fn(|i| wanted[i] && !O::PASSED[i]);
        let mut gradients =
            std::array::from_fn(|i| (wanted[i] && O::PASSED[i]).then(|| dy.clone()));
        if !made.contains(&true) {
            return Ok(gradients);
        }
        let dy = dy.contiguous()?;
        let new = if cuda::taken(&dy) {
            self.back_on_gpu(&kept, &dy, made)?
        } else {
            self.back_on_cpu(&kept, &dy, made)?
        };
        for (gradient, new) in gradients.iter_mut().zip(new) {
            *gradient = gradient.take().or(new);
        }
        Ok(gradients)
    }

    fn back_on_cpu(
        &self,
        kept: &Tensors<'_, N>,
        dy: &Tensor,
        wanted: [bool; N],
    ) -> Result<[Option<Tensor>; N]> {
        let open = |t| host(O::NAME, t);
        let x = kept.x.map(|x| all(x.map(open))).transpose()?;
        let (y, of_y) = (kept.y.map(open).transpose()?, open(dy)?);
        let gradients = dispatch!(O::NAME, dy.dtype(), T => {
            let given = Basis {
                wanted,
                x: match &x {
                    Some(x) => all(x.each_ref().map(|x| x.slice::<T>()))?,
                    None => [&[]; N],
                },
                y: y.as_ref().map_or(Ok(&[][..]), |y| y.slice::<T>())?,
                dy: of_y.slice::<T>()?,
            };
            let mut gradients = self.op.backward(given)?.into_iter().zip(kept.shapes);
            std::array::from_fn(|_| {
                let (gradient, shape) = gradients.next()?;
                gradient.map(|gradient| tensor(gradient, shape))
            })
        });
        all(gradients.map(Option::transpose))
    }

    fn back_on_gpu(
        &self,
        kept: &Tensors<'_, N>,
        dy: &Tensor,
        wanted: [bool; N],
    ) -> Result<[Option<Tensor>; N]> {
        let inputs: Vec<&Tensor> = kept.x.into_iter().flatten().chain(kept.y).chain([dy]).collect();
        let shapes: Vec<&Shape> =
            kept.shapes.into_iter().zip(wanted).filter(|(_, w)| *w).map(|(s, _)| s).collect();
        let made = cuda::make(O::NAME, dy, &inputs, &shapes, |gpu, from, to| {
            let next = |all: &mut std::slice::Iter<'_, Floats>, there| {
                if there { all.next().copied().unwrap_or(Floats::NONE) } else { Floats::NONE }
            };
            let (mut from, mut to) = (from.iter(), to.iter());
            let given = Basis {
                wanted,
                x: std::array::from_fn(|_| next(&mut from, O::KEEP == Keep::Inputs)),
                y: next(&mut from, O::KEEP == Keep::Output),
                dy: next(&mut from, true),
            };
            self.op.launch_backward(gpu, given, wanted.map(|wanted| next(&mut to, wanted)))
        })?;
        let mut made = made.into_iter();
        Ok(wanted.map(|wanted| if wanted { made.next() } else { None }))
    }
}

/// Implements candle's trait for operators with this number of inputs.
macro_rules! in_graph {
    ($n:literal, $custom:ident, $apply:ident, $gradients:ty, ($x:ident, $l:ident) $(, ($xs:ident, $ls:ident))*) => {
        impl<O: Operator<$n>> InGraph<$n> for Frame<$n, O> {
            fn in_graph(self, [$x $(, $xs)*]: [&Tensor; $n]) -> Result<Tensor> {
                $x.$apply($($xs,)* self)
            }
        }

        #[allow(clippy::double_parens)] // one gradient makes no tuple
        impl<O: Operator<$n>> $custom for Frame<$n, O> {
            fn name(&self) -> &'static str {
                O::NAME
            }

            fn cpu_fwd(
                &self,
                $x: &CpuStorage,
                $l: &Layout,
                $($xs: &CpuStorage, $ls: &Layout,)*
            ) -> Result<(CpuStorage, Shape)> {
                self.cpu(&[($x, $l) $(, ($xs, $ls))*])
            }

            fn cuda_fwd(
                &self,
                $x: &CudaStorage,
                $l: &Layout,
                $($xs: &CudaStorage, $ls: &Layout,)*
            ) -> Result<(CudaStorage, Shape)> {
                self.cuda(&[($x, $l) $(, ($xs, $ls))*])
            }

            fn bwd(
                &self,
                $x: &Tensor,
                $($xs: &Tensor,)*
                y: &Tensor,
                dy: &Tensor,
            ) -> Result<$gradients> {
                let x = [$x $(, $xs)*];
                let kept = Tensors {
                    x: (O::KEEP == Keep::Inputs).then_some(x),
                    y: (O::KEEP == Keep::Output).then_some(y),
                    shapes: x.map(Tensor::shape),
                };
                let [$x $(, $xs)*] = self.back(kept, dy, x.map(tracked))?;
                Ok(($x $(, $xs)*))
            }
        }
    };
}
in_graph!(1, CustomOp1, apply_op1, Option<Tensor>, (a, la));
in_graph!(2, CustomOp2, apply_op2, (Option<Tensor>, Option<Tensor>), (a, la), (b, lb));
in_graph!(
    3,
    CustomOp3,
    apply_op3,
    (Option<Tensor>, Option<Tensor>, Option<Tensor>),
    (a, la),
    (b, lb),
    (c, lc)
);
