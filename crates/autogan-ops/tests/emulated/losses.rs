//! Kernels of losses: means behind a hinge, log-softmax.

use autogan_ops::{hinge_mean, log_softmax, scaled_mean};

use super::case::{both_ways, cases, tensor};

#[test]
fn means_equal_the_operators() {
    cases(|case| {
        let (n, hinge, factor) = (case.size(600), case.flag(), case.pick(&[1.0, -1.0, 0.7]));
        let (x, dy) = (case.floats(n), case.floats(1));
        let x: Vec<f32> = x.iter().map(|v| 3.0 * v).collect();
        let (y, grads) = both_ways(&[tensor(&x, n)], &dy, |t| {
            if hinge { hinge_mean(&t[0], factor) } else { scaled_mean(&t[0], factor) }
        });
        let (mx, md) = (case.memory(&x), case.memory(&dy));
        let (mut my, mut mdx) = (case.fresh::<f32>(1), case.fresh::<f32>(n));
        let (grid, block) = (case.grid(), case.block());
        let rest = [n.into(), factor.into(), hinge.into()];
        let forward = [&[mx.input(), my.output()], &rest[..]].concat();
        case.launch("mean_forward", [1, 1, 1], block, &forward);
        case.close("mean_forward", &my, &y, 1e-5);
        let backward = [&[mx.input(), md.input(), mdx.output()], &rest[..]].concat();
        case.launch("mean_backward", grid, block, &backward);
        case.close("mean_backward", &mdx, &grads[0], 1e-6);
    });
}

#[test]
fn log_softmax_equals_the_operator() {
    cases(|case| {
        let (rows, classes) = (case.size(9), case.size(140));
        let x: Vec<f32> = case.floats(rows * classes).iter().map(|v| 8.0 * v).collect();
        let dy = case.floats(rows * classes);
        let (y, grads) = both_ways(&[tensor(&x, (rows, classes))], &dy, |t| log_softmax(&t[0]));
        let (mx, md) = (case.memory(&x), case.memory(&dy));
        let (mut my, mut mdx) = (case.fresh::<f32>(x.len()), case.fresh::<f32>(x.len()));
        let (grid, block) = (case.grid(), case.block());
        let forward = [mx.input(), my.output(), rows.into(), classes.into()];
        case.launch("log_softmax_forward", grid, block, &forward);
        case.close("log_softmax_forward", &my, &y, 1e-5);
        let backward = [my.input(), md.input(), mdx.output(), rows.into(), classes.into()];
        case.launch("log_softmax_backward", grid, block, &backward);
        case.close("log_softmax_backward", &mdx, &grads[0], 1e-5);
    });
}
