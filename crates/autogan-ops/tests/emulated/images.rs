//! Kernels between bytes and floats, and the scorers' resizing.

use crate::case::{cases, tensor, values};

/// The scorers' own resizing on the CPU; it lies in a crate that this one may not use, and needs nothing of it.
#[path = "../../../autogan-metrics/src/inception/resize/bilinear.rs"]
mod bilinear;

#[test]
fn bytes_and_floats_equal_the_plain_conversions() {
    cases(|case| {
        let n = case.size(600);
        let bytes = case.bytes(n);
        let expected: Vec<f64> = bytes.iter().map(|&b| (f64::from(b) - 127.5) / 127.5).collect();
        let (mb, mut floats) = (case.memory(&bytes), case.fresh::<f32>(n));
        let (grid, block) = (case.grid(), case.block());
        let (scale, shift) = (1.0f32 / 127.5, -1.0f32);
        let arguments = [mb.input(), floats.output(), n.into(), scale.into(), shift.into()];
        case.launch("bytes_to_floats", grid, block, &arguments);
        case.close("bytes_to_floats", &floats, &expected, 1e-5);

        // As the search has it: candle's affine map, clamped and cut off; -1 and 1 are among the values, and more.
        let mut x: Vec<f32> = case.floats(n).iter().map(|v| 1.1 * v).collect();
        x[0] = case.pick(&[-1.0, 1.0, 0.0]);
        let cut: Vec<f64> =
            x.iter().map(|&v| f64::from((v * 127.5 + 127.5).clamp(0.0, 255.0) as u8)).collect();
        let (mx, mut out) = (case.memory(&x), case.fresh::<u8>(n));
        case.launch("floats_to_bytes", grid, block, &[mx.input(), out.output(), n.into()]);
        case.close("floats_to_bytes", &out, &cut, 0.0);
    });
}

#[test]
fn resizing_equals_the_scorers() {
    cases(|case| {
        let (planes, h, w) = (case.size(4), case.size(9), case.size(9));
        let (ho, wo, half_pixel) = (case.size(21), case.size(21), case.flag());
        let bytes = case.bytes(planes * h * w);
        let divide: f32 = if half_pixel { 255.0 } else { 1.0 };
        let (scale, shift) = if half_pixel { (2.0f32, -1.0f32) } else { (1.0 / 128.0, -1.0) };
        let source: Vec<f32> = bytes.iter().map(|&b| f32::from(b) / divide).collect();
        let mut resized = vec![0f32; planes * ho * wo];
        let resize =
            if half_pixel { bilinear::bilinear_half_pixel } else { bilinear::bilinear_tf1 };
        for (plane, out) in source.chunks(h * w).zip(resized.chunks_mut(ho * wo)) {
            resize(plane, (h, w), out, (ho, wo));
        }
        let expected: Vec<f64> = resized.iter().map(|&v| f64::from(v * scale + shift)).collect();
        let (mx, mut my) = (case.memory(&bytes), case.fresh::<f32>(resized.len()));
        let step = |from: usize, to: usize| (from as f64 / to as f64) as f32;
        let arguments = [
            mx.input(),
            my.output(),
            planes.into(),
            h.into(),
            w.into(),
            ho.into(),
            wo.into(),
            step(h, ho).into(),
            step(w, wo).into(),
            half_pixel.into(),
            divide.into(),
            scale.into(),
            shift.into(),
        ];
        let (grid, block) = (case.grid_of_planes(), case.block());
        case.launch("resize_bilinear", grid, block, &arguments);
        case.close("resize_bilinear", &my, &expected, 1e-5);
    });
}

#[test]
fn squares_of_pixels_become_channels() {
    cases(|case| {
        let (n, c, h, w) = (case.size(3), case.size(4), case.size(5), case.size(5));
        let x = case.floats(n * c * 4 * h * w);
        let expected = tensor(&x, &[n, c, h, 2, w, 2][..])
            .permute([0, 1, 3, 5, 2, 4])
            .and_then(|t| t.contiguous())
            .unwrap();
        let (mx, mut my) = (case.memory(&x), case.fresh::<f32>(x.len()));
        let (grid, block) = (case.grid(), case.block());
        let arguments = [mx.input(), my.output(), (n * c).into(), (2 * h).into(), (2 * w).into()];
        case.launch("space_to_depth", grid, block, &arguments);
        case.close("space_to_depth", &my, &values(&expected), 0.0);
    });
}
