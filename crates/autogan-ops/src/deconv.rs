//! Transposed convolution with a 2x2 kernel and stride 2 (the `deconv` choice of the search space): each input
//! pixel becomes its own 2x2 block of outputs, so the whole operator is one GEMM and a shuffle of pixels.

use autogan_kernels::memory::{Unwritten, filled_by};
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::conv::{channel_sums, sum_shares};
use crate::cuda::{self, Argument, Card, Floats, floats, int, over_tiles, shares};
use crate::host::{host, slice, tensor, zeros};
use crate::real::{Mat, Real, dispatch, gemm, same_dtype, storage};
use crate::tape::{apply3, tracked};

const OP: &str = "conv_transpose2x2";

/// Partial sums of the weight gradient: one per group of images.
const GROUPS: usize = 8;

/// `x [N, Ci, H, W]`, `w [Ci, Co, 2, 2]`, `b [Co]` → `[N, Co, 2H, 2W]`:
/// `y[n, o, 2i+u, 2j+v] = b[o] + Σ_c x[n, c, i, j] · w[c, o, u, v]` (PyTorch's `ConvTranspose2d(2, stride=2)`).
///
/// # Errors
/// When the shapes or element types do not fit each other.
pub fn conv_transpose2x2(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    let op = Deconv::new(x, w, b)?;
    apply3(&x.contiguous()?, &w.contiguous()?, &b.contiguous()?, op)
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

    /// Rows of the GEMM's result, `(o, u, v)`, to the places of the output image.
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

    /// The inverse of [`Self::scatter`]: output gradients as rows `(o, u, v)`.
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

    fn forward<T: Real>(&self, x: &[T], w: &[T], bias: &[T]) -> Vec<T> {
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
        let per_group = self.n.div_ceil(GROUPS).max(1);
        let d = Mat::new(self.ci, 4 * self.co);
        let blocks = Mat::new(4 * self.co, self.pixels()).t();
        let partial: Vec<Vec<T>> = (0..self.n.div_ceil(per_group))
            .into_par_iter()
            .map(|g| {
                let (mut dw, mut buffer) = (zeros(self.ci * 4 * self.co), zeros(self.image_out()));
                for i in g * per_group..((g + 1) * per_group).min(self.n) {
                    self.gather(&dy[i * self.image_out()..][..self.image_out()], &mut buffer);
                    let x = &x[i * self.image_in()..][..self.image_in()];
                    gemm(&mut dw, d, x, Mat::new(self.ci, self.pixels()), &buffer, blocks, true);
                }
                dw
            })
            .collect();
        let mut dw = zeros(self.ci * 4 * self.co);
        for part in &partial {
            for (d, &s) in dw.iter_mut().zip(part) {
                *d += s;
            }
        }
        dw
    }
}

/// On a card: deconv.cu.
impl Deconv {
    fn sizes(&self) -> Result<[Argument; 5]> {
        Ok([int(self.n)?, int(self.ci)?, int(self.co)?, int(self.h)?, int(self.w)?])
    }

    fn shape(&self) -> Shape {
        (self.n, self.co, 2 * self.h, 2 * self.w).into()
    }

    fn program(&self) -> impl cuda::Program<1> {
        |card: &dyn Card, from: &[Floats], [y]: [Floats; 1]| {
            let tensors = [from[0].read(), from[1].read(), from[2].read(), y.write()];
            let arguments = [&tensors[..], &self.sizes()?].concat();
            over_tiles(card, "deconv_forward", (4 * self.co, self.n * self.pixels(), 1), &arguments)
        }
    }

    fn launch_input_gradient(&self, card: &dyn Card, from: &[Floats], dx: Floats) -> Result<()> {
        let tensors = [from[0].read(), from[1].read(), dx.write()];
        let arguments = [&tensors[..], &self.sizes()?].concat();
        let (rows, columns) = (self.ci, self.n * self.pixels());
        over_tiles(card, "deconv_input_gradient", (rows, columns, 1), &arguments)
    }

    fn launch_weight_gradient(&self, card: &dyn Card, from: &[Floats], dw: Floats) -> Result<()> {
        let (rows, columns) = (self.ci, 4 * self.co);
        let parts = shares(rows, columns, self.n * self.pixels());
        let partial = floats(card, parts * rows * columns)?;
        let tensors = [from[0].read(), from[1].read(), partial.floats().write()];
        let arguments = [&tensors[..], &self.sizes()?].concat();
        over_tiles(card, "deconv_weight_gradient", (rows, columns, parts), &arguments)?;
        sum_shares(card, partial.floats(), dw, (parts, rows * columns))
    }

    fn gradients_on_card(
        &self,
        x: &Tensor,
        w: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dx = tracked(x).then(|| {
            cuda::make_one(OP, &[dy, w], x.shape(), |card, from, dx| {
                self.launch_input_gradient(card, from, dx)
            })
        });
        let dw = tracked(w).then(|| {
            cuda::make_one(OP, &[x, dy], w.shape(), |card, from, dw| {
                self.launch_weight_gradient(card, from, dw)
            })
        });
        Ok((dx.transpose()?, dw.transpose()?))
    }
}

impl CustomOp3 for Deconv {
    fn name(&self) -> &'static str {
        OP
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let inputs = [(x, lx), (w, lw), (b, lb)];
        if let Some(y) = cuda::emulated(OP, &inputs, self.shape(), self.program()) {
            return y;
        }
        dispatch!(OP, x.dtype(), T => {
            let (x, w, b) = (slice::<T>(OP, x, lx)?, slice::<T>(OP, w, lw)?, slice::<T>(OP, b, lb)?);
            Ok(storage(self.forward(x, w, b), self.shape()))
        })
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        w: &CudaStorage,
        lw: &Layout,
        b: &CudaStorage,
        lb: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        cuda::forward(OP, &[(x, lx), (w, lw), (b, lb)], self.shape(), self.program())
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let db = if tracked(b) { Some(channel_sums(&dy)?) } else { None };
        if cuda::taken(&dy) {
            let (dx, dw) = self.gradients_on_card(x, w, &dy)?;
            return Ok((dx, dw, db));
        }
        dispatch!(OP, x.dtype(), T => {
            let (hx, hw, hd) = (host(OP, x)?, host(OP, w)?, host(OP, &dy)?);
            let (xs, ws, ds) = (hx.slice::<T>()?, hw.slice::<T>()?, hd.slice::<T>()?);
            let dx = if tracked(x) {
                Some(tensor(self.input_gradient(ds, ws), x.shape())?)
            } else {
                None
            };
            let dw = if tracked(w) {
                Some(tensor(self.weight_gradient(xs, ds), w.shape())?)
            } else {
                None
            };
            Ok((dx, dw, db))
        })
    }
}
