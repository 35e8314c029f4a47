//! Kernels of linear layers and transposed convolutions.

use autogan_ops::{conv_transpose2x2, linear, matmul};

use super::case::{Case, Memory, both_ways, cases, tensor};
use super::conv::{sum_partials, tiles};

type Operand<'a> = (&'a Memory<f32>, bool);

/// The product y [m, n] of a [m, k] and b [k, n]. Each operand has a flag that says whether it is transposed.
fn product(
    case: &mut Case,
    a: Operand,
    b: Operand,
    (m, k, n): (usize, usize, usize),
) -> Memory<f32> {
    let mut y = case.fresh::<f32>(m * n);
    let arguments = [
        a.0.input(),
        b.0.input(),
        y.output(),
        m.into(),
        k.into(),
        n.into(),
        a.1.into(),
        b.1.into(),
    ];
    case.launch("matmul", tiles(m, n, 1), 256, &arguments);
    y
}

#[test]
fn linear_layers_equal_the_operator() {
    cases(|case| {
        let (m, k, n) = (case.size(70), case.size(40), case.size(70));
        let (x, w, b) = (case.floats(m * k), case.floats(n * k), case.floats(n));
        let dy = case.floats(m * n);
        let inputs = [tensor(&x, (m, k)), tensor(&w, (n, k)), tensor(&b, n)];
        let (y, grads) = both_ways(&inputs, &dy, |t| linear(&t[0], &t[1], Some(&t[2])));
        let (mx, mw, mb, md) =
            (case.memory(&x), case.memory(&w), case.memory(&b), case.memory(&dy));
        let plain = product(case, (&mx, false), (&mw, true), (m, k, n));
        let (mut my, mut mdb) = (case.fresh::<f32>(dy.len()), case.fresh::<f32>(n));
        let (grid, block) = (case.grid(), case.block());
        let add = [plain.input(), mb.input(), my.output(), m.into(), n.into()];
        case.launch("add_row", grid, block, &add);
        case.close("add_row", &my, &y, 1e-5);
        let dx = product(case, (&md, false), (&mw, false), (m, n, k));
        case.close("matmul: input gradient", &dx, &grads[0], 1e-5);
        let dw = product(case, (&md, true), (&mx, false), (n, m, k));
        case.close("matmul: weight gradient", &dw, &grads[1], 1e-5);
        case.launch("column_sums", grid, block, &[md.input(), mdb.output(), m.into(), n.into()]);
        case.close("column_sums", &mdb, &grads[2], 1e-5);
    });
}

#[test]
fn products_equal_the_operator() {
    cases(|case| {
        let (m, k, n) = (case.size(70), case.size(40), case.size(70));
        let (a, b) = (case.floats(m * k), case.floats(k * n));
        let (y, _) = both_ways(&[tensor(&a, (m, k)), tensor(&b, (k, n))], &vec![0.0; m * n], |t| {
            matmul(&t[0], &t[1])
        });
        let (ma, mb) = (case.memory(&a), case.memory(&b));
        let my = product(case, (&ma, false), (&mb, false), (m, k, n));
        case.close("matmul", &my, &y, 1e-5);
    });
}

#[test]
fn transposed_convolutions_equal_the_operator() {
    cases(|case| {
        let (n, h, w) = (case.size(3), case.size(6), case.size(6));
        let (ci, co) = (case.pick(&[1, 3, 20, 66]), case.pick(&[1, 2, 7, 17]));
        let (x, weight) = (case.floats(n * ci * h * w), case.floats(ci * co * 4));
        let (bias, dy) = (case.floats(co), case.floats(n * co * 4 * h * w));
        let inputs =
            [tensor(&x, (n, ci, h, w)), tensor(&weight, (ci, co, 2, 2)), tensor(&bias, co)];
        let (y, grads) = both_ways(&inputs, &dy, |t| conv_transpose2x2(&t[0], &t[1], &t[2]));
        let (mx, mw, mb, md) =
            (case.memory(&x), case.memory(&weight), case.memory(&bias), case.memory(&dy));
        let (mut my, mut mdx) = (case.fresh::<f32>(dy.len()), case.fresh::<f32>(x.len()));
        let sizes = [n.into(), ci.into(), co.into(), h.into(), w.into()];
        let forward = [&[mx.input(), mw.input(), mb.input(), my.output()], &sizes[..]].concat();
        case.launch("deconv_forward", tiles(4 * co, n * h * w, 1), 256, &forward);
        case.close("deconv_forward", &my, &y, 1e-5);
        let backward = [&[md.input(), mw.input(), mdx.output()], &sizes[..]].concat();
        case.launch("deconv_input_gradient", tiles(ci, n * h * w, 1), 256, &backward);
        case.close("deconv_input_gradient", &mdx, &grads[0], 1e-5);
        let parts = case.size(4);
        let mut partial = case.fresh::<f32>(parts * weight.len());
        let mut dw = case.fresh::<f32>(weight.len());
        let shares = [&[mx.input(), md.input(), partial.output()], &sizes[..]].concat();
        case.launch("deconv_weight_gradient", tiles(ci, 4 * co, parts), 256, &shares);
        sum_partials(case, &partial, &mut dw, parts);
        case.close("deconv_weight_gradient", &dw, &grads[1], 1e-5);
    });
}
