//! Kernels that change the side of an image: upsampling and pooling.

use autogan_ops::{avg_pool_global, avg_pool2, sum_pool, upsample_bilinear, upsample_nearest};
use candle_core::{Result, Tensor};

use super::case::{Case, both_ways, cases, tensor};

fn upsampling(case: &mut Case, names: [&str; 2], operator: fn(&Tensor, usize) -> Result<Tensor>) {
    let (n, c, h, w) = (case.size(3), case.size(3), case.size(7), case.size(7));
    let factor = case.pick(&[2, 2, 3, 4, 5]);
    let (x, dy) = (case.floats(n * c * h * w), case.floats(n * c * h * w * factor * factor));
    let (y, grads) = both_ways(&[tensor(&x, (n, c, h, w))], &dy, |t| operator(&t[0], factor));
    let (mx, md) = (case.memory(&x), case.memory(&dy));
    let (mut my, mut mdx) = (case.fresh::<f32>(dy.len()), case.fresh::<f32>(x.len()));
    let (grid, block) = (case.grid_of_planes(), case.block());
    let sizes = [(n * c).into(), h.into(), w.into(), factor.into()];
    case.launch(names[0], grid, block, &[&[mx.input(), my.output()], &sizes[..]].concat());
    case.close(names[0], &my, &y, 1e-5);
    case.launch(names[1], grid, block, &[&[md.input(), mdx.output()], &sizes[..]].concat());
    case.close(names[1], &mdx, &grads[0], 1e-5);
}

#[test]
fn nearest_equals_the_operator() {
    let names = ["upsample_nearest_forward", "upsample_nearest_backward"];
    cases(|case| upsampling(case, names, upsample_nearest));
}

#[test]
fn bilinear_equals_the_operator() {
    let names = ["upsample_bilinear_forward", "upsample_bilinear_backward"];
    cases(|case| upsampling(case, names, upsample_bilinear));
}

#[test]
fn averages_of_squares_equal_the_operator() {
    cases(|case| {
        let (n, c, h, w) = (case.size(3), case.size(3), 1 + case.size(9), 1 + case.size(9));
        let (x, dy) = (case.floats(n * c * h * w), case.floats(n * c * (h / 2) * (w / 2)));
        let (y, grads) = both_ways(&[tensor(&x, (n, c, h, w))], &dy, |t| avg_pool2(&t[0]));
        let (mx, md) = (case.memory(&x), case.memory(&dy));
        let (mut my, mut mdx) = (case.fresh::<f32>(dy.len()), case.fresh::<f32>(x.len()));
        let (grid, block) = (case.grid_of_planes(), case.block());
        let sizes = [(n * c).into(), h.into(), w.into()];
        let forward = [&[mx.input(), my.output()], &sizes[..]].concat();
        case.launch("avg_pool2_forward", grid, block, &forward);
        case.close("avg_pool2_forward", &my, &y, 1e-5);
        let backward = [&[md.input(), mdx.output()], &sizes[..]].concat();
        case.launch("avg_pool2_backward", grid, block, &backward);
        case.close("avg_pool2_backward", &mdx, &grads[0], 1e-5);
    });
}

#[test]
fn sums_and_means_of_planes_equal_the_operators() {
    cases(|case| {
        let (n, c, h, w, mean) =
            (case.size(3), case.size(5), case.size(12), case.size(12), case.flag());
        let (x, dy) = (case.floats(n * c * h * w), case.floats(n * c));
        let (y, grads) = both_ways(&[tensor(&x, (n, c, h, w))], &dy, |t| {
            if mean { avg_pool_global(&t[0]) } else { sum_pool(&t[0]) }
        });
        let scale = if mean { 1.0 / (h * w) as f32 } else { 1.0 };
        let (mx, md) = (case.memory(&x), case.memory(&dy));
        let (mut my, mut mdx) = (case.fresh::<f32>(dy.len()), case.fresh::<f32>(x.len()));
        let (grid, block) = (case.grid(), case.block());
        let sizes = [(n * c).into(), (h * w).into(), scale.into()];
        let forward = [&[mx.input(), my.output()], &sizes[..]].concat();
        case.launch("global_pool_forward", grid, block, &forward);
        case.close("global_pool_forward", &my, &y, 1e-5);
        let backward = [&[md.input(), mdx.output()], &sizes[..]].concat();
        case.launch("global_pool_backward", grid, block, &backward);
        case.close("global_pool_backward", &mdx, &grads[0], 1e-5);
    });
}
