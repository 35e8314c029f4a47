//! Transfers to the GPU and back for which nobody waits.

use autogan_ops::{self as ops, Readback};
use candle_core::{DType, Device, Tensor};

use crate::place::device;

/// Numbers that take a GPU a while to compute: sums of a chain of matrix products.
fn slow_sums(device: &Device, count: usize) -> Vec<Tensor> {
    let x = Tensor::full(1e-3f32, (2048, 2048), device).unwrap();
    let mut y = x.clone();
    let sums = (0..count).map(|_| {
        y = ops::matmul(&y, &x).unwrap();
        y.sum_all().unwrap()
    });
    sums.collect()
}

#[test]
fn numbers_are_those_that_the_gpu_has_worked_out() {
    let sums = slow_sums(&device(), 40);
    let coming: Vec<Readback> = sums.iter().map(|s| Readback::begin(&[s]).unwrap()).collect();
    let found: Vec<f64> = coming.iter().map(|c| c.wait().unwrap()[0]).collect();
    let expected = sums.iter().map(|s| s.to_dtype(DType::F64).unwrap().to_scalar::<f64>().unwrap());
    assert_eq!(found, expected.collect::<Vec<_>>());
    assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{found:?}");
}

#[test]
fn values_that_are_sent_while_the_gpu_is_busy_arrive() {
    let device = device();
    let busy = slow_sums(&device, 40);
    let values = |i: usize| (0..3000 + i).map(|k| (k * (i + 1)) as f32).collect::<Vec<f32>>();
    let sent: Vec<Tensor> =
        (0..64).map(|i| ops::upload(values(i), 3000 + i, &device).unwrap()).collect();
    drop(busy);
    for (i, sent) in sent.iter().enumerate() {
        assert!(sent.to_vec1::<f32>().unwrap() == values(i), "transfer {i}");
    }
}
