//! [`conv_transpose2x2`] is the transposed convolution with a 2x2 kernel and stride 2 (`deconv` in the search space).
//! Each input pixel becomes its own 2x2 block of outputs: the whole operator is one GEMM and a shuffle of pixels.

use autogan_kernels::conv::bias_gradient;
use autogan_kernels::memory::{Unwritten, filled_by};
use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

use crate::conv::{channel_sums, sum_shares};
use crate::cuda::{Argument, Floats, Gpu, floats, int, over_tiles, shares};
use crate::host::{sum_of_groups, zeros};
use crate::operator::{Basis, Gradients, Keep, Operator, apply};
use crate::real::{Mat, Real, dispatch, gemm, same_dtype};

const OP: &str = "conv_transpose2x2";

/// The number of partial sums of the weight gradient: one per group of images.
const GROUPS: usize = 8;

/// `x [N, Ci, H, W]`, `w [Ci, Co, 2, 2]`, `b [Co]` → `[N, Co, 2H, 2W]`:
/// `y[n, o, 2i+u, 2j+v] = b[o] + Σ_c x[n, c, i, j] · w[c, o, u, v]` (PyTorch's `ConvTranspose2d(2, stride=2)`).
///
/// # Errors
/// When the shapes or element types do not fit each other.
pub fn conv_transpose2x2(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    let op = Deconv::new(x, w, b)?;
    apply([x, w, b], (op.n, op.co, 2 * op.h, 2 * op.w), op)
}

/// [`conv_transpose2x2`] written as its definition, forward only.
///
/// # Errors
/// As [`conv_transpose2x2`].
pub fn conv_transpose2x2_ref(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    let p = Deconv::new(x, w, b)?;
    dispatch!(OP, x.dtype(), T => {
        let (xs, ws) = (x.flatten_all()?.to_vec1::<T>()?, w.flatten_all()?.to_vec1::<T>()?);
        let bs = b.to_vec1::<T>()?;
        let mut y = Vec::with_capacity(p.n * p.image_out());
        for n in 0..p.n {
            for o in 0..p.co {
                for i in 0..2 * p.h {
                    for j in 0..2 * p.w {
                        let mut sum = bs[o];
                        for c in 0..p.ci {
                            let pixel = xs[((n * p.ci + c) * p.h + i / 2) * p.w + j / 2];
                            sum += pixel * ws[(c * p.co + o) * 4 + (i % 2) * 2 + j % 2];
                        }
                        y.push(sum);
                    }
                }
            }
        }
        Tensor::from_vec(y, (p.n, p.co, 2 * p.h, 2 * p.w), x.device())
    })
}

#[derive(Clone, Copy)]
struct Deconv {
    n: usize,
    ci: usize,
    h: usize,
    w: usize,
    co: usize,
}

impl Deconv {
    fn new(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Self> {
        same_dtype(OP, &[x, w, b])?;
        let (n, ci, h, width) = x.dims4()?;
        match *w.dims() {
            [wi, co, 2, 2] if wi == ci && b.dims() == [co] => Ok(Self { n, ci, h, w: width, co }),
            _ => bail!(
                "{OP}: for an input {:?} expected a weight [{ci}, Cout, 2, 2] and a bias [Cout], found {:?} and {:?}",
                x.dims(),
                w.dims(),
                b.dims()
            ),
        }
    }

    fn pixels(&self) -> usize {
        self.h * self.w
    }

    fn image_in(&self) -> usize {
        self.ci * self.pixels()
    }

    fn image_out(&self) -> usize {
        4 * self.co * self.pixels()
    }

    /// Moves rows of the GEMM's result, `(o, u, v)`, to their places in the output image.
    fn scatter<T: Real>(&self, blocks: &[T], bias: &[T], y: &mut Unwritten<T>) {
        for (row, plane) in blocks.chunks_exact(self.pixels()).enumerate() {
            let (o, u, v) = (row / 4, row / 2 % 2, row % 2);
            for (i, line) in plane.chunks_exact(self.w).enumerate() {
                let out = &mut y[(o * 2 * self.h + 2 * i + u) * 2 * self.w..][..2 * self.w];
                for (d, &s) in out[v..].iter_mut().step_by(2).zip(line) {
                    d.write(s + bias[o]);
                }
            }
        }
    }

    /// The inverse of [`Self::scatter`]: moves output gradients to rows `(o, u, v)`.
    fn gather<T: Real>(&self, dy: &[T], blocks: &mut [T]) {
        for (row, plane) in blocks.chunks_exact_mut(self.pixels()).enumerate() {
            let (o, u, v) = (row / 4, row / 2 % 2, row % 2);
            for (i, line) in plane.chunks_exact_mut(self.w).enumerate() {
                let src = &dy[(o * 2 * self.h + 2 * i + u) * 2 * self.w..][..2 * self.w];
                for (d, &s) in line.iter_mut().zip(src[v..].iter().step_by(2)) {
                    *d = s;
                }
            }
        }
    }

    fn run<T: Real>(&self, x: &[T], w: &[T], bias: &[T]) -> Vec<T> {
        let (blocks, m) =
            (Mat::new(4 * self.co, self.pixels()), Mat::new(self.ci, 4 * self.co).t());
        let fill = |y: &mut Unwritten<T>| {
            y.par_chunks_mut(self.image_out().max(1)).enumerate().for_each_init(
                || zeros(self.image_out()),
                |buffer, (i, y)| {
                    let x = &x[i * self.image_in()..][..self.image_in()];
                    gemm(buffer, blocks, w, m, x, Mat::new(self.ci, self.pixels()), false);
                    self.scatter(buffer, bias, y);
                },
            );
        };
        // SAFETY: `scatter` writes all pixels of an image: each is in one row of one block.
        unsafe { filled_by(self.n * self.image_out(), fill) }
    }

    fn input_gradient<T: Real>(&self, dy: &[T], w: &[T]) -> Vec<T> {
        let mut dx = zeros(self.n * self.image_in());
        let (blocks, m) = (Mat::new(4 * self.co, self.pixels()), Mat::new(self.ci, 4 * self.co));
        dx.par_chunks_mut(self.image_in().max(1)).enumerate().for_each_init(
            || zeros(self.image_out()),
            |buffer, (i, dx)| {
                self.gather(&dy[i * self.image_out()..][..self.image_out()], buffer);
                gemm(dx, Mat::new(self.ci, self.pixels()), w, m, buffer, blocks, false);
            },
        );
        dx
    }

    fn weight_gradient<T: Real>(&self, x: &[T], dy: &[T]) -> Vec<T> {
        let d = Mat::new(self.ci, 4 * self.co);
        let blocks = Mat::new(4 * self.co, self.pixels()).t();
        sum_of_groups((self.n, GROUPS), d.rows * d.cols, |images| {
            let (mut dw, mut buffer) = (zeros(d.rows * d.cols), zeros(self.image_out()));
            for i in images {
                self.gather(&dy[i * self.image_out()..][..self.image_out()], &mut buffer);
                let x = &x[i * self.image_in()..][..self.image_in()];
                gemm(&mut dw, d, x, Mat::new(self.ci, self.pixels()), &buffer, blocks, true);
            }
            dw
        })
    }
}

/// The operator on a GPU, by the kernels of deconv.cu.
impl Deconv {
    fn sizes(&self) -> Result<[Argument; 5]> {
        Ok([int(self.n)?, int(self.ci)?, int(self.co)?, int(self.h)?, int(self.w)?])
    }

    fn launch_input_gradient(
        &self,
        gpu: &dyn Gpu,
        (dy, w): (Floats, Floats),
        dx: Floats,
    ) -> Result<()> {
        let (tiles, tensors) =
            ((self.ci, self.n * self.pixels(), 1), [dy.read(), w.read(), dx.write()]);
        over_tiles(gpu, "deconv_input_gradient", tiles, &[&tensors, &self.sizes()?])
    }

    fn launch_weight_gradient(
        &self,
        gpu: &dyn Gpu,
        (x, dy): (Floats, Floats),
        dw: Floats,
    ) -> Result<()> {
        let (rows, columns) = (self.ci, 4 * self.co);
        let parts = shares(rows, columns, self.n * self.pixels());
        let partial = floats(gpu, parts * rows * columns)?;
        let tensors = [x.read(), dy.read(), partial.floats().write()];
        let tiles = (rows, columns, parts);
        over_tiles(gpu, "deconv_weight_gradient", tiles, &[&tensors, &self.sizes()?])?;
        sum_shares(gpu, partial.floats(), dw, (parts, rows * columns))
    }
}

impl Operator<3> for Deconv {
    const NAME: &'static str = OP;
    const KEEP: Keep = Keep::Inputs;

    fn forward<T: Real>(&self, [x, w, bias]: [&[T]; 3]) -> Result<Vec<T>> {
        Ok(self.run(x, w, bias))
    }

    fn backward<T: Real>(&self, given: Basis<&[T], 3>) -> Gradients<T, 3> {
        let Basis { x: [x, w, _], dy, wanted: [to_x, to_w, to_b], .. } = given;
        Ok([
            to_x.then(|| self.input_gradient(dy, w)),
            to_w.then(|| self.weight_gradient(x, dy)),
            to_b.then(|| bias_gradient(dy, self.n, self.co, 4 * self.pixels())),
        ])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [x, w, b]: [Floats; 3], y: Floats) -> Result<()> {
        let tensors = [x.read(), w.read(), b.read(), y.write()];
        let tiles = (4 * self.co, self.n * self.pixels(), 1);
        over_tiles(gpu, "deconv_forward", tiles, &[&tensors, &self.sizes()?])
    }

    fn launch_backward(
        &self,
        gpu: &dyn Gpu,
        Basis { x: [x, w, _], dy, wanted: [to_x, to_w, to_b], .. }: Basis<Floats, 3>,
        [dx, dw, db]: [Floats; 3],
    ) -> Result<()> {
        if to_b {
            channel_sums(gpu, dy, db, (self.n, self.co, 4 * self.pixels()))?;
        }
        if to_x {
            self.launch_input_gradient(gpu, (dy, w), dx)?;
        }
        if to_w {
            self.launch_weight_gradient(gpu, (x, dy), dw)?;
        }
        Ok(())
    }
}
