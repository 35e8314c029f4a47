//! This module holds pooling: 2x2 averages, and sums and means over all pixels.

use candle_core::{Result, Tensor, bail};

use crate::cuda::{Argument, Floats, Gpu, int, over_elements, over_groups, over_planes};
use crate::host::{for_pieces, sum_by, zeros};
use crate::operator::{Basis, Gradients, Keep, Operator, apply};
use crate::real::Real;

/// 2x2 average pooling with stride 2: `[N, C, H, W]` → `[N, C, ⌊H/2⌋, ⌊W/2⌋]`; an odd last row or column is left out.
///
/// # Errors
/// When the input is not 4-dimensional or smaller than 2x2.
pub fn avg_pool2(x: &Tensor) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    if h < 2 || w < 2 {
        bail!("avg_pool2: expected at least 2x2 pixels, found {h}x{w}");
    }
    apply([x], (n, c, h / 2, w / 2), AvgPool2 { planes: n * c, h, w })
}

/// Sum over all pixels: `[N, C, H, W]` → `[N, C]` (the discriminator's last reduction).
///
/// # Errors
/// When the input is not 4-dimensional.
pub fn sum_pool(x: &Tensor) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    apply([x], (n, c), GlobalPool { planes: n * c, pixels: h * w, scale: 1.0 })
}

/// Mean over all pixels: `[N, C, H, W]` → `[N, C]`.
///
/// # Errors
/// When the input is not 4-dimensional or has no pixels.
pub fn avg_pool_global(x: &Tensor) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    if h * w == 0 {
        bail!("avg_pool_global: expected at least one pixel, found {h}x{w}");
    }
    let scale = 1.0 / (h * w) as f64;
    apply([x], (n, c), GlobalPool { planes: n * c, pixels: h * w, scale })
}

struct AvgPool2 {
    planes: usize,
    h: usize,
    w: usize,
}

impl AvgPool2 {
    /// A kernel that writes planes of `pixels` pixels.
    fn launch(
        &self,
        gpu: &dyn Gpu,
        kernel: &'static str,
        from: Floats,
        to: Floats,
        pixels: usize,
    ) -> Result<()> {
        let sizes = [int(self.planes)?, int(self.h)?, int(self.w)?];
        over_planes(gpu, kernel, (self.planes, pixels), &[&[from.read(), to.write()], &sizes])
    }
}

impl Operator<1> for AvgPool2 {
    const NAME: &'static str = "avg_pool2";
    const KEEP: Keep = Keep::Nothing;

    fn forward<T: Real>(&self, [x]: [&[T]; 1]) -> Result<Vec<T>> {
        let (ho, wo) = (self.h / 2, self.w / 2);
        let mut y = zeros(self.planes * ho * wo);
        let quarter = T::from_f64(0.25);
        for_pieces(
            &mut y,
            ho * wo,
            #[inline(always)]
            |plane, out| {
                let x = &x[plane * self.h * self.w..][..self.h * self.w];
                for (i, line) in out.chunks_exact_mut(wo).enumerate() {
                    let (a, b) = (&x[2 * i * self.w..], &x[(2 * i + 1) * self.w..]);
                    for (j, o) in line.iter_mut().enumerate() {
                        *o = (a[2 * j] + a[2 * j + 1] + b[2 * j] + b[2 * j + 1]) * quarter;
                    }
                }
            },
        );
        Ok(y)
    }

    fn backward<T: Real>(&self, Basis { dy, .. }: Basis<&[T], 1>) -> Gradients<T, 1> {
        let (ho, wo) = (self.h / 2, self.w / 2);
        let mut dx = zeros(self.planes * self.h * self.w);
        let quarter = T::from_f64(0.25);
        for_pieces(
            &mut dx,
            self.h * self.w,
            #[inline(always)]
            |plane, out| {
                let dy = &dy[plane * ho * wo..][..ho * wo];
                for (i, line) in out.chunks_exact_mut(self.w).take(2 * ho).enumerate() {
                    let src = &dy[i / 2 * wo..][..wo];
                    for (pair, &s) in line.chunks_exact_mut(2).zip(src) {
                        pair.fill(s * quarter);
                    }
                }
            },
        );
        Ok([Some(dx)])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [x]: [Floats; 1], y: Floats) -> Result<()> {
        self.launch(gpu, "avg_pool2_forward", x, y, self.h / 2 * (self.w / 2))
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Basis<Floats, 1>, dx: [Floats; 1]) -> Result<()> {
        self.launch(gpu, "avg_pool2_backward", at.dy, dx[0], self.h * self.w)
    }
}

struct GlobalPool {
    planes: usize,
    pixels: usize,
    scale: f64,
}

impl Operator<1> for GlobalPool {
    const NAME: &'static str = "global pooling";
    const KEEP: Keep = Keep::Nothing;

    fn forward<T: Real>(&self, [x]: [&[T]; 1]) -> Result<Vec<T>> {
        let planes = (0..self.planes).map(|i| &x[i * self.pixels..][..self.pixels]);
        Ok(planes.map(|p| T::from_f64(sum_by(p, |v| v) * self.scale)).collect())
    }

    fn backward<T: Real>(&self, Basis { dy, .. }: Basis<&[T], 1>) -> Gradients<T, 1> {
        let mut dx = zeros(dy.len() * self.pixels);
        let scale = T::from_f64(self.scale);
        for_pieces(
            &mut dx,
            self.pixels,
            #[inline(always)]
            |i, out| out.fill(dy[i] * scale),
        );
        Ok([Some(dx)])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [x]: [Floats; 1], y: Floats) -> Result<()> {
        let sizes = [int(self.planes)?, int(self.pixels)?, Argument::Float(self.scale as f32)];
        over_groups(gpu, "global_pool_forward", self.planes, &[&[x.read(), y.write()], &sizes])
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Basis<Floats, 1>, dx: [Floats; 1]) -> Result<()> {
        let sizes = [int(self.planes)?, int(self.pixels)?, Argument::Float(self.scale as f32)];
        let (count, tensors) = (self.planes * self.pixels, [at.dy.read(), dx[0].write()]);
        over_elements(gpu, "global_pool_backward", count, &[&tensors, &sizes])
    }
}
