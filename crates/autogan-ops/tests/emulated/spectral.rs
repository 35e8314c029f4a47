//! Kernels of spectral norm: power iteration, division, gradient.

use autogan_ops::{power_iterate, spectral_normalize};

use super::case::{Case, Memory, both_ways, cases, tensor, values, vector};

/// Divides a vector by its length.
fn normalise(case: &Case, vector: &mut Memory<f64>, block: u32) {
    let count = vector.read().len().into();
    case.launch("spectral_normalise", [1, 1, 1], block, &[vector.output(), count]);
}

/// The product W v.
fn rows_of(case: &mut Case, w: &Memory<f32>, v: &Memory<f64>, rows: usize) -> Memory<f64> {
    let cols = v.read().len();
    let mut out = case.fresh::<f64>(rows);
    let (grid, block) = (case.grid(), case.block());
    let arguments = [w.input(), v.input(), out.output(), rows.into(), cols.into()];
    case.launch("spectral_rows", grid, block, &arguments);
    out
}

#[test]
fn power_iteration_and_division_equal_the_operators() {
    cases(|case| {
        let (rows, cols) = (case.size(40), case.size(90));
        let (w, dout) = (case.floats(rows * cols), case.floats(rows * cols));
        let start: Vec<f64> = case.floats(rows).iter().map(|&v| f64::from(v) + 1.5).collect();
        let t = tensor(&w, (rows, cols));
        let (u, v) = power_iterate(&t, &vector(&start)).unwrap();
        let (mw, md, mut mu) = (case.memory(&w), case.memory(&dout), case.memory(&start));
        let mut mv = case.fresh::<f64>(cols);
        let (grid, block) = (case.grid(), case.block());
        let sizes = [rows.into(), cols.into()];
        let columns = [&[mw.input(), mu.input(), mv.output()], &sizes[..]].concat();
        case.launch("spectral_columns", grid, 256, &columns);
        normalise(case, &mut mv, block);
        case.close("spectral_columns", &mv, &values(&v), 1e-9);
        mu = rows_of(case, &mw, &mv, rows);
        let product = case.memory(mu.read());
        normalise(case, &mut mu, block);
        case.close("spectral_rows", &mu, &values(&u), 1e-9);

        let (y, grads) = both_ways(&[t], &dout, |t| spectral_normalize(&t[0], &u, &v));
        let (mut sigma, mut my) = (case.fresh::<f64>(1), case.fresh::<f32>(w.len()));
        let arguments = [mu.input(), product.input(), sigma.output(), rows.into()];
        case.launch("spectral_sigma", [1, 1, 1], block, &arguments);
        let divided = [mw.input(), sigma.input(), my.output(), w.len().into()];
        case.launch("spectral_forward", grid, block, &divided);
        case.close("spectral_forward", &my, &y, 1e-5);

        let parts = grid[0] as usize;
        let (mut partial, mut dw) = (case.fresh::<f64>(parts), case.fresh::<f32>(w.len()));
        let along = [mw.input(), md.input(), partial.output(), w.len().into()];
        case.launch("spectral_along", grid, block, &along);
        let arguments = [
            md.input(),
            mu.input(),
            mv.input(),
            sigma.input(),
            partial.input(),
            dw.output(),
            rows.into(),
            cols.into(),
            parts.into(),
        ];
        let grid = case.grid();
        case.launch("spectral_backward", grid, block, &arguments);
        case.close("spectral_backward", &dw, &grads[0], 1e-4);
    });
}
