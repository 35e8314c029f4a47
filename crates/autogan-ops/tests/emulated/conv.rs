//! Kernels of convolutions: columns, matrix products over the image, phases, averaged kernels.

use autogan_ops::{
    Before, ConvGeometry, Resize, conv2d_avg_pool2_ref, conv2d_fused_ref, conv2d_strided,
};
use autogan_testing::kernels::Argument;

use super::case::{Case, Memory, both_ways, cases, tensor};

/// The side of a kernel's tile.
pub const TILE: usize = 64;

/// The grid that covers a matrix with tiles.
pub fn tiles(rows: usize, columns: usize, shares: usize) -> [u32; 3] {
    [columns.div_ceil(TILE) as u32, rows.div_ceil(TILE) as u32, shares as u32]
}

/// One convolution.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub n: usize,
    pub ci: usize,
    pub h: usize,
    pub w: usize,
    pub co: usize,
    pub kh: usize,
    pub kw: usize,
    pub geometry: ConvGeometry,
}

#[test]
fn bias_and_relu_of_a_library_s_convolution() {
    cases(|case| {
        let (n, c, pixels, relu) = (case.size(3), case.size(5), case.size(90), case.flag());
        let (y, bias) = (case.floats(n * c * pixels), case.floats(c));
        let expected: Vec<f64> = y
            .iter()
            .enumerate()
            .map(|(i, &v)| f64::from(v) + f64::from(bias[i / pixels % c]))
            .map(|v| if relu { v.max(0.0) } else { v })
            .collect();
        let (mut my, mb) = (case.memory(&y), case.memory(&bias));
        let (grid, block) = (case.grid_of_planes(), case.block());
        let sizes = [(n * c).into(), c.into(), pixels.into(), relu.into()];
        let arguments = [&[my.output(), mb.input()], &sizes[..]].concat();
        case.launch("conv_finish", grid, block, &arguments);
        case.close("conv_finish", &my, &expected, 1e-6);
    });
}

impl Sizes {
    /// A convolution with any kernel, stride and padding. Its images are not square and sometimes no larger than the
    /// kernel.
    fn any(case: &mut Case) -> Self {
        let (kh, kw) = case.pick(&[(1, 1), (3, 3), (3, 3), (1, 7), (5, 2), (4, 4)]);
        let geometry = ConvGeometry {
            stride: case.pick(&[1, 1, 2, 3]),
            pad_h: case.size(kh) - 1,
            pad_w: case.size(kw) - 1,
        };
        let (n, ci, co) = (case.size(3), case.size(7), case.size(9));
        let h = (case.size(8)).max(kh.saturating_sub(2 * geometry.pad_h));
        let w = (case.size(8)).max(kw.saturating_sub(2 * geometry.pad_w));
        Self { n, ci, h, w, co, kh, kw, geometry }
    }

    /// A convolution that sometimes needs more than one tile of output channels or of pixels.
    pub fn several_tiles(case: &mut Case) -> Self {
        let mut sizes = Self::any(case);
        if case.seed.is_multiple_of(8) {
            sizes.co = 65;
            sizes.h += 8;
        }
        if case.seed % 8 == 1 {
            sizes.ci = 70;
        }
        sizes
    }

    fn ho(&self) -> usize {
        (self.h + 2 * self.geometry.pad_h - self.kh) / self.geometry.stride + 1
    }

    fn wo(&self) -> usize {
        (self.w + 2 * self.geometry.pad_w - self.kw) / self.geometry.stride + 1
    }

    pub fn taps(&self) -> usize {
        self.ci * self.kh * self.kw
    }

    pub fn inputs(&self) -> usize {
        self.n * self.ci * self.h * self.w
    }

    pub fn outputs(&self) -> usize {
        self.n * self.co * self.ho() * self.wo()
    }

    pub fn x(&self) -> (usize, usize, usize, usize) {
        (self.n, self.ci, self.h, self.w)
    }

    pub fn weight(&self) -> (usize, usize, usize, usize) {
        (self.co, self.ci, self.kh, self.kw)
    }

    pub fn argument(&self) -> Argument {
        let g = self.geometry;
        let sizes = [
            self.n,
            self.ci,
            self.h,
            self.w,
            self.co,
            self.kh,
            self.kw,
            self.ho(),
            self.wo(),
            g.stride,
            g.pad_h,
            g.pad_w,
        ];
        Argument::sizes(sizes.map(|v| v as i32))
    }
}

fn forward(
    case: &Case,
    s: Sizes,
    x: &Memory<f32>,
    w: &Memory<f32>,
    bias: Option<&Memory<f32>>,
    y: &mut Memory<f32>,
    relu: bool,
) {
    let bias = bias.map_or(Argument::null(), Memory::input);
    let arguments = [x.input(), w.input(), bias, y.output(), s.argument(), relu.into()];
    case.launch("conv_forward", tiles(s.co, s.n * s.ho() * s.wo(), 1), 256, &arguments);
}

fn weight_gradient(case: &mut Case, s: Sizes, x: &Memory<f32>, dy: &Memory<f32>) -> Memory<f32> {
    let (parts, count) = (case.size(4), s.co * s.taps());
    let (mut partial, mut dw) = (case.fresh::<f32>(parts * count), case.fresh::<f32>(count));
    let arguments = [x.input(), dy.input(), partial.output(), s.argument()];
    case.launch("conv_weight_gradient", tiles(s.co, s.taps(), parts), 256, &arguments);
    sum_partials(case, &partial, &mut dw, parts);
    dw
}

/// Adds up the partial results of a launch.
pub fn sum_partials(case: &mut Case, partial: &Memory<f32>, out: &mut Memory<f32>, parts: usize) {
    let count = partial.read().len() / parts;
    let (grid, block) = (case.grid(), case.block());
    let arguments = [partial.input(), out.output(), parts.into(), count.into()];
    case.launch("sum_partials", grid, block, &arguments);
}

fn input_gradient(case: &Case, s: Sizes, dy: &Memory<f32>, w: &Memory<f32>, dx: &mut Memory<f32>) {
    let arguments = [dy.input(), w.input(), dx.output(), s.argument()];
    case.launch("conv_input_gradient", tiles(s.ci, s.n * s.h * s.w, 1), 256, &arguments);
}

fn channel_sums(case: &mut Case, dy: &Memory<f32>, n: usize, c: usize) -> Memory<f32> {
    let pixels = dy.read().len() / n / c;
    let mut db = case.fresh::<f32>(c);
    let (grid, block) = (case.grid(), case.block());
    let arguments = [dy.input(), db.output(), n.into(), c.into(), pixels.into()];
    case.launch("channel_sums", grid, block, &arguments);
    db
}

#[test]
fn convolutions_equal_the_operator() {
    cases(|case| {
        let s = Sizes::several_tiles(case);
        let (x, w) = (case.floats(s.inputs()), case.floats(s.co * s.taps()));
        let (b, dy) = (case.floats(s.co), case.floats(s.outputs()));
        let inputs = [tensor(&x, s.x()), tensor(&w, s.weight()), tensor(&b, s.co)];
        let (y, grads) =
            both_ways(&inputs, &dy, |t| conv2d_strided(&t[0], &t[1], Some(&t[2]), s.geometry));
        let (mx, mw, mb, md) =
            (case.memory(&x), case.memory(&w), case.memory(&b), case.memory(&dy));
        let (mut my, mut mdx) = (case.fresh::<f32>(dy.len()), case.fresh::<f32>(x.len()));
        forward(case, s, &mx, &mw, Some(&mb), &mut my, false);
        case.close("conv_forward", &my, &y, 1e-5);
        forward(case, s, &mx, &mw, Some(&mb), &mut my, true);
        let positive: Vec<f64> = y.iter().map(|v| v.max(0.0)).collect();
        case.close("conv_forward with ReLU", &my, &positive, 1e-5);
        input_gradient(case, s, &md, &mw, &mut mdx);
        case.close("conv_input_gradient", &mdx, &grads[0], 1e-5);
        let dw = weight_gradient(case, s, &mx, &md);
        case.close("conv_weight_gradient", &dw, &grads[1], 1e-5);
        let db = channel_sums(case, &md, s.n, s.co);
        case.close("channel_sums", &db, &grads[2], 1e-5);
    });
}

#[test]
fn phases_equal_nearest_upsampling_and_a_convolution() {
    cases(|case| {
        let (n, ci, co) = (case.size(3), case.size(5), case.size(5));
        let (h, w) = (case.size(6), case.size(6));
        let (x, weight) = (case.floats(n * ci * h * w), case.floats(co * ci * 9));
        let (bias, dy) = (case.floats(co), case.floats(n * co * 4 * h * w));
        let inputs =
            [tensor(&x, (n, ci, h, w)), tensor(&weight, (co, ci, 3, 3)), tensor(&bias, co)];
        let (y, grads) = both_ways(&inputs, &dy, |t| {
            Ok(conv2d_fused_ref(&t[0], Before::Nothing, Resize::NearestUp, &t[1], &t[2])?.y)
        });
        // A 2x2 convolution of the small image, one zero around it, all four phases as channels.
        let geometry = ConvGeometry { stride: 1, pad_h: 1, pad_w: 1 };
        let s = Sizes { n, ci, h, w, co: 4 * co, kh: 2, kw: 2, geometry };
        let (grid, planes, block) = (case.grid(), case.grid_of_planes(), case.block());
        let (mx, mw, mb, md) =
            (case.memory(&x), case.memory(&weight), case.memory(&bias), case.memory(&dy));
        let mut kernels = case.fresh::<f32>(16 * co * ci);
        let channels = [co.into(), ci.into()];
        let made = [&[mw.input(), kernels.output()], &channels[..]].concat();
        case.launch("phase_weights_forward", grid, block, &made);
        let mut phases = case.fresh::<f32>(s.outputs());
        forward(case, s, &mx, &kernels, None, &mut phases, false);
        let mut my = case.fresh::<f32>(dy.len());
        let sizes = [n.into(), co.into(), h.into(), w.into()];
        let assembled = [&[phases.input(), mb.input(), my.output()], &sizes[..]].concat();
        case.launch("phase_assemble_forward", planes, block, &assembled);
        case.close("phase_assemble_forward", &my, &y, 1e-5);
        // The backward pass.
        let mut dphases = case.fresh::<f32>(s.outputs());
        let taken = [&[md.input(), dphases.output()], &sizes[..]].concat();
        case.launch("phase_assemble_backward", planes, block, &taken);
        let mut dx = case.fresh::<f32>(x.len());
        input_gradient(case, s, &dphases, &kernels, &mut dx);
        case.close("phases: input gradient", &dx, &grads[0], 1e-5);
        let dkernels = weight_gradient(case, s, &mx, &dphases);
        let mut dw = case.fresh::<f32>(weight.len());
        let collected = [&[dkernels.input(), dw.output()], &channels[..]].concat();
        case.launch("phase_weights_backward", grid, block, &collected);
        case.close("phase_weights_backward", &dw, &grads[1], 1e-5);
        let db = channel_sums(case, &md, n, co);
        case.close("phases: bias gradient", &db, &grads[2], 1e-5);
    });
}

#[test]
fn averaged_kernels_equal_a_convolution_and_pooling() {
    cases(|case| {
        let (n, ci, co, k) = (case.size(2), case.size(4), case.size(4), case.pick(&[1, 3, 5]));
        let (h, w) = (2 * case.size(4), 2 * case.size(4));
        let (x, weight) = (case.floats(n * ci * h * w), case.floats(co * ci * k * k));
        let dy = case.floats(n * co * h * w / 4);
        let inputs = [tensor(&x, (n, ci, h, w)), tensor(&weight, (co, ci, k, k))];
        let (y, grads) = both_ways(&inputs, &dy, |t| conv2d_avg_pool2_ref(&t[0], &t[1], None));
        let geometry = ConvGeometry { stride: 2, pad_h: k / 2, pad_w: k / 2 };
        let s = Sizes { n, ci, h, w, co, kh: k + 1, kw: k + 1, geometry };
        let (mx, mw, md) = (case.memory(&x), case.memory(&weight), case.memory(&dy));
        let (grid, block) = (case.grid(), case.block());
        let mut wide = case.fresh::<f32>(co * s.taps());
        let sizes = [(co * ci).into(), k.into()];
        let spread = [&[mw.input(), wide.output()], &sizes[..]].concat();
        case.launch("averaged_forward", grid, block, &spread);
        let mut my = case.fresh::<f32>(dy.len());
        forward(case, s, &mx, &wide, None, &mut my, false);
        case.close("averaged_forward", &my, &y, 1e-5);
        let dwide = weight_gradient(case, s, &mx, &md);
        let mut dw = case.fresh::<f32>(weight.len());
        let collected = [&[dwide.input(), dw.output()], &sizes[..]].concat();
        case.launch("averaged_backward", grid, block, &collected);
        case.close("averaged_backward", &dw, &grads[1], 1e-5);
    });
}
