//! [`resize_bilinear`] resizes images to floats as scorers do it, for evaluation only: no gradients.

use autogan_kernels::memory::{filled, write, write_pieces};
use candle_core::{DType, Device, Result, Tensor, bail};

use crate::cuda::{Argument, Bytes, Floats, Gpu, flag, int, narrow, over_planes};
use crate::evaluated::{Evaluation, apply};

/// The rule that says where output `i` of `to` pixels reads, of `from` pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResizeRule {
    /// TensorFlow 1's rule: at `i · from / to`; the last pixel repeats.
    Tf1,
    /// Half-pixel centres, as PyTorch's `interpolate(align_corners=False)`: at `(i + 0.5) · from / to − 0.5`, but not
    /// before the first pixel; the last repeats.
    HalfPixel,
}

impl ResizeRule {
    /// The two pixels that an output reads, and the weight of the second: places are computed in f32.
    fn tap(self, i: usize, from: usize, to: usize) -> (usize, usize, f32) {
        let scale = step(from, to);
        let place = match self {
            Self::Tf1 => i as f32 * scale,
            Self::HalfPixel => ((i as f32 + 0.5) * scale - 0.5).max(0.0),
        };
        let low = (place as usize).min(from - 1);
        (low, (low + 1).min(from - 1), place - low as f32)
    }
}

/// `from / to`, rounded once.
fn step(from: usize, to: usize) -> f32 {
    (from as f64 / to as f64) as f32
}

/// The scaling of pixels before and after they are resized: `(byte − center) / divide`, and ` · scale + shift`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelScale {
    /// The number that is subtracted from each byte.
    pub center: f32,
    /// The number that the difference is divided by, not 0.
    pub divide: f32,
    /// The number that resized values are multiplied with.
    pub scale: f32,
    /// The number that is then added.
    pub shift: f32,
}

impl PixelScale {
    /// The scale that leaves bytes as they are.
    pub const NONE: Self = Self { center: 0.0, divide: 1.0, scale: 1.0, shift: 0.0 };
}

/// Bilinear resizing without antialiasing to the sides `to` (height, width): u8 `[N, C, H, W]` → f32 `[N, C, h, w]`.
/// Columns are mixed first, then rows, in f32; a GPU gives the CPU's bits. It takes no part in gradients.
///
/// # Errors
/// When the input is not 4-dimensional u8, or a side is 0.
pub fn resize_bilinear(
    x: &Tensor,
    to: (usize, usize),
    rule: ResizeRule,
    pixels: PixelScale,
) -> Result<Tensor> {
    let (shape, op) = Bilinear::new(x, to, rule, pixels)?;
    apply(x, &shape, op)
}

/// [`resize_bilinear`] as two products with the matrices of its weights, in f64: `rows · image · columns`.
///
/// # Errors
/// As [`resize_bilinear`], but for the element type.
pub fn resize_bilinear_ref(
    x: &Tensor,
    to: (usize, usize),
    rule: ResizeRule,
    pixels: PixelScale,
) -> Result<Tensor> {
    let (_, op) = Bilinear::new(x, to, rule, pixels)?;
    let weights = |from: usize, to: usize| {
        let mut all = vec![0.0; to * from];
        for i in 0..to {
            let (low, high, weight) = rule.tap(i, from, to);
            all[i * from + low] += 1.0 - f64::from(weight);
            all[i * from + high] += f64::from(weight);
        }
        Tensor::from_vec(all, (to, from), &Device::Cpu)?.to_device(x.device())
    };
    let (rows, columns) = (weights(op.from.0, to.0)?, weights(op.from.1, to.1)?.t()?);
    let (center, divide) = (f64::from(pixels.center), f64::from(pixels.divide));
    let source = ((x.to_dtype(DType::F64)? - center)? / divide)?;
    let resized = rows.broadcast_matmul(&source.broadcast_matmul(&columns)?)?;
    resized.affine(pixels.scale.into(), pixels.shift.into())
}

struct Bilinear {
    planes: usize,
    from: (usize, usize),
    to: (usize, usize),
    rule: ResizeRule,
    pixels: PixelScale,
}

impl Bilinear {
    /// Returns the shape of the output, and the operator.
    fn new(
        x: &Tensor,
        to: (usize, usize),
        rule: ResizeRule,
        pixels: PixelScale,
    ) -> Result<([usize; 4], Self)> {
        let (n, c, h, w) = x.dims4()?;
        if h * w == 0 || to.0 * to.1 == 0 {
            bail!(
                "resize_bilinear: expected at least one pixel, found {h}x{w} to be made {}x{}",
                to.0,
                to.1
            );
        }
        Ok(([n, c, to.0, to.1], Self { planes: n * c, from: (h, w), to, rule, pixels }))
    }
}

impl Evaluation for Bilinear {
    const NAME: &'static str = "resize_bilinear";
    type From = u8;
    type To = f32;

    fn forward(&self, x: &[u8]) -> Vec<f32> {
        let ((h, w), (ho, wo)) = (self.from, self.to);
        let PixelScale { center, divide, scale, shift } = self.pixels;
        let values: [f32; 256] = std::array::from_fn(|byte| (byte as f32 - center) / divide);
        let taps = |from: usize, to: usize| -> Vec<(usize, usize, f32)> {
            (0..to).map(|i| self.rule.tap(i, from, to)).collect()
        };
        let (rows, columns) = (taps(h, ho), taps(w, wo));
        filled(self.planes * ho * wo, ho * wo, |plane, out| {
            let x = &x[plane * h * w..][..h * w];
            write_pieces(out, wo, |i, line| {
                let (top, bottom, down) = rows[i];
                let (upper, lower) = (&x[top * w..][..w], &x[bottom * w..][..w]);
                let pixel = |&(left, right, across): &(usize, usize, f32)| {
                    let mix = |line: &[u8]| {
                        let [a, b] = [left, right].map(|at| values[usize::from(line[at])]);
                        a + (b - a) * across
                    };
                    let (a, b) = (mix(upper), mix(lower));
                    (a + (b - a) * down) * scale + shift
                };
                write(line, columns.iter().map(pixel))
            })
        })
    }

    fn launch(&self, gpu: &dyn Gpu, x: Bytes, y: Floats) -> Result<()> {
        let (planes, (h, w), (ho, wo)) = (self.planes, self.from, self.to);
        narrow(planes * h * w)?;
        let sizes = [int(planes)?, int(h)?, int(w)?, int(ho)?, int(wo)?];
        let PixelScale { center, divide, scale, shift } = self.pixels;
        let steps = [step(h, ho), step(w, wo)].map(Argument::Float);
        let constants = [center, divide, scale, shift].map(Argument::Float);
        let rule = [flag(self.rule == ResizeRule::HalfPixel)];
        let arguments = [&[x.read(), y.write()][..], &sizes, &steps, &rule, &constants];
        over_planes(gpu, "resize_bilinear", (planes, ho * wo), &arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: [ResizeRule; 2] = [ResizeRule::Tf1, ResizeRule::HalfPixel];

    fn image(bytes: &[u8], h: usize, w: usize) -> Tensor {
        Tensor::from_slice(bytes, (1, 1, h, w), &Device::Cpu).unwrap()
    }

    fn flat(t: &Tensor) -> Vec<f32> {
        t.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn places_by_hand() {
        let row = image(&[0, 8], 1, 2);
        let to = |rule| flat(&resize_bilinear(&row, (1, 4), rule, PixelScale::NONE).unwrap());
        assert_eq!(to(ResizeRule::Tf1), [0., 4., 8., 8.]);
        assert_eq!(to(ResizeRule::HalfPixel), [0., 2., 6., 8.]);
        let square = image(&[1, 2, 3, 6], 2, 2);
        let pixels = PixelScale { center: 1.0, divide: 2.0, scale: 10.0, shift: -3.0 };
        let one = resize_bilinear(&square, (1, 1), ResizeRule::HalfPixel, pixels).unwrap();
        assert_eq!(flat(&one), [7.0]);
    }

    #[test]
    fn all_sizes_equal_the_reference() {
        let pixels = PixelScale { center: 127.5, divide: 127.5, scale: 2.0, shift: -0.25 };
        for (h, w, ho, wo) in [(1, 1, 3, 2), (5, 7, 5, 7), (4, 9, 13, 3), (32, 32, 29, 31)] {
            let bytes: Vec<u8> = (0..6 * h * w).map(|i| (i * i * 7 % 251) as u8).collect();
            let x = Tensor::from_vec(bytes, (2, 3, h, w), &Device::Cpu).unwrap();
            for rule in RULES {
                let found = resize_bilinear(&x, (ho, wo), rule, pixels).unwrap();
                let expected = resize_bilinear_ref(&x, (ho, wo), rule, pixels).unwrap();
                assert_eq!(found.dims(), expected.dims());
                for (f, e) in flat(&found).iter().zip(flat(&expected)) {
                    assert!((f - e).abs() < 1e-5, "{rule:?} {h}x{w} to {ho}x{wo}: {f}, not {e}");
                }
            }
        }
    }

    #[test]
    fn nothing_to_resize_is_refused() {
        let x = image(&[1], 1, 1);
        let error = resize_bilinear(&x, (0, 2), ResizeRule::Tf1, PixelScale::NONE).unwrap_err();
        assert!(error.to_string().contains("found 1x1 to be made 0x2"), "{error}");
    }
}
