//! Kernels of scorers: between bytes and numbers, resizing, and 3x3 pools.

use autogan_ops::{
    PixelScale, ResizeRule, avg_pool3_ref, bytes_to_floats, floats_to_bytes, max_pool3_ref,
    resize_bilinear, space_to_depth_ref,
};
use candle_core::{DType, Device, Tensor};

use super::case::{cases, tensor, values};

fn bytes(data: &[u8], shape: &[usize]) -> Tensor {
    Tensor::from_slice(data, shape, &Device::Cpu).unwrap()
}

/// The elements of an operator's output, which a kernel has to match to the bit.
fn exact(t: &Tensor) -> Vec<f64> {
    values(&t.to_dtype(DType::F64).unwrap())
}

#[test]
fn bytes_and_floats_equal_the_operators_bit_for_bit() {
    cases(|case| {
        let n = case.size(600);
        let data = case.bytes(n);
        let (mb, mut floats) = (case.memory(&data), case.fresh::<f32>(n));
        let (grid, block) = (case.grid(), case.block());
        let (center, divide) = (case.pick(&[127.5f32, 0.0, 128.0]), case.pick(&[127.5f32, 255.0]));
        let arguments = [mb.input(), floats.output(), n.into(), center.into(), divide.into()];
        case.launch("bytes_to_floats", grid, block, &arguments);
        let expected = bytes_to_floats(&bytes(&data, &[n]), center, divide).unwrap();
        case.close("bytes_to_floats", &floats, &exact(&expected), 0.0);

        // Among the values are some outside of the range, some on the border of two bytes, and NaN.
        let mut x: Vec<f32> = case.floats(n).iter().map(|v| 1.1 * v).collect();
        let border = (case.size(255) as f32 - 127.5) / 127.5;
        x[0] = case.pick(&[-1.0, 1.0, 0.0, f32::NAN, f32::INFINITY, border, border.next_down()]);
        let (mx, mut out) = (case.memory(&x), case.fresh::<u8>(n));
        case.launch("floats_to_bytes", grid, block, &[mx.input(), out.output(), n.into()]);
        let expected = floats_to_bytes(&Tensor::new(x, &Device::Cpu).unwrap()).unwrap();
        case.close("floats_to_bytes", &out, &exact(&expected), 0.0);
    });
}

#[test]
fn resizing_equals_the_operator_bit_for_bit() {
    cases(|case| {
        let (planes, h, w) = (case.size(4), case.size(9), case.size(9));
        let (ho, wo, half_pixel) = (case.size(21), case.size(21), case.flag());
        let rule = if half_pixel { ResizeRule::HalfPixel } else { ResizeRule::Tf1 };
        let data = case.bytes(planes * h * w);
        let (center, divide) = case.pick(&[(0.0, 1.0), (0.0, 255.0), (127.5, 127.5)]);
        let (scale, shift) = case.pick(&[(1.0 / 128.0, -1.0), (2.0, -1.0), (1.3, 0.7)]);
        let pixels = PixelScale { center, divide, scale, shift };
        let x = bytes(&data, &[1, planes, h, w]);
        let expected = resize_bilinear(&x, (ho, wo), rule, pixels).unwrap();
        let (mx, mut my) = (case.memory(&data), case.fresh::<f32>(planes * ho * wo));
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
            center.into(),
            divide.into(),
            scale.into(),
            shift.into(),
        ];
        let (grid, block) = (case.grid_of_planes(), case.block());
        case.launch("resize_bilinear", grid, block, &arguments);
        case.close("resize_bilinear", &my, &exact(&expected), 0.0);
    });
}

#[test]
fn squares_of_pixels_become_channels() {
    cases(|case| {
        let (n, c, h, w) = (case.size(3), case.size(4), case.size(5), case.size(5));
        let x = case.floats(n * c * 4 * h * w);
        let expected = space_to_depth_ref(&tensor(&x, (n, c, 2 * h, 2 * w))).unwrap();
        let (mx, mut my) = (case.memory(&x), case.fresh::<f32>(x.len()));
        let (grid, block) = (case.grid(), case.block());
        let arguments = [mx.input(), my.output(), (n * c).into(), (2 * h).into(), (2 * w).into()];
        case.launch("space_to_depth", grid, block, &arguments);
        case.close("space_to_depth", &my, &values(&expected), 0.0);
    });
}

#[test]
fn maxima_and_averages_of_neighbourhoods_equal_candles() {
    cases(|case| {
        let (n, c, stride, pad) = (case.size(3), case.size(4), case.size(3), case.size(3) - 1);
        let least = 3usize.saturating_sub(2 * pad).max(1);
        let (h, w) = (least - 1 + case.size(9), least - 1 + case.size(9));
        let x = case.floats(n * c * h * w);
        let image = tensor(&x, (n, c, h, w));
        let expected = max_pool3_ref(&image, stride, pad).unwrap();
        let (_, _, ho, wo) = expected.dims4().unwrap();
        let (mx, mut my) = (case.memory(&x), case.fresh::<f32>(n * c * ho * wo));
        let (grid, block) = (case.grid_of_planes(), case.block());
        let sizes = [n * c, h, w, ho, wo, stride, pad].map(Into::into);
        case.launch("max_pool3", grid, block, &[&[mx.input(), my.output()], &sizes[..]].concat());
        case.close("max_pool3", &my, &values(&expected), 0.0);

        let expected = avg_pool3_ref(&image).unwrap();
        let mut my = case.fresh::<f32>(x.len());
        let sizes = [n * c, h, w].map(Into::into);
        case.launch("avg_pool3", grid, block, &[&[mx.input(), my.output()], &sizes[..]].concat());
        case.close("avg_pool3", &my, &values(&expected), 1e-5);
    });
}
