//! Loops over slices: those on all threads, sums in lanes, and memory that is written once.

use autogan_kernels::inference::Buffer;
use autogan_kernels::memory::{filled, write, write_pieces};
use autogan_kernels::precision::{round, rounded};
use autogan_kernels::slices::{CHUNK, dot, for_pieces, map, sum_by, sum_of_groups, zip};
use autogan_testing::paths::{cases, on_every_path};

use crate::common::{assert_same_bits, noise};

/// Lengths around vectors and around what one task handles.
fn lengths() -> Vec<usize> {
    let mut all: Vec<usize> = (0..=34).collect();
    all.extend([63, 64, 65, 127, 131, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 17]);
    let few = cases(all);
    few.into_iter().chain([3 * CHUNK + 5]).collect()
}

/// Every loop over slices of one length.
fn run(len: usize) -> Vec<Vec<f32>> {
    let (a, b) = (noise(len, 1), noise(len, 2));
    let mut pieces = a.clone();
    for_pieces(
        &mut pieces,
        7,
        #[inline(always)]
        |i, piece| piece.iter_mut().for_each(|v| *v += i as f32),
    );
    let groups = sum_of_groups((len, 8), 3, |range| {
        let part: f32 = a[range].iter().sum();
        vec![part, 2.0 * part, -part]
    });
    let lines =
        filled(len * 5, 5, |i, out| write_pieces(out, 2, |j, out| write(out, [a[i], j as f32])));
    vec![
        map(&a, |v| 2.0 * v),
        zip(&a, &b, |a, b| a * b + a),
        round(&a),
        pieces,
        groups,
        lines,
        vec![sum_by(&a, |v| v * v) as f32, dot(&a, &b) as f32],
    ]
}

#[test]
fn loops_over_slices() {
    let lengths = lengths();
    let found = on_every_path("loops over slices", || {
        lengths.iter().flat_map(|&len| run(len)).collect::<Vec<_>>()
    });
    for (unit, found) in &found {
        for (&len, found) in lengths.iter().zip(found.chunks_exact(7)) {
            let (a, b) = (noise(len, 1), noise(len, 2));
            let expect = |r: usize, f: &dyn Fn(usize) -> f32| {
                let expected: Vec<f32> = (0..found[r].len()).map(f).collect();
                assert_eq!(found[r], expected, "{unit}, loop {r}, {len} elements");
            };
            assert_eq!(
                found.iter().map(Vec::len).collect::<Vec<_>>(),
                [len, len, len, len, 3, 5 * len, 2]
            );
            expect(0, &|i| 2.0 * a[i]);
            expect(1, &|i| a[i] * b[i] + a[i]);
            expect(2, &|i| rounded(a[i]));
            expect(3, &|i| a[i] + (i / 7) as f32);
            expect(5, &|i| if i % 5 % 2 == 0 { a[i / 5] } else { (i % 5 / 2) as f32 });
            let sum = |f: &dyn Fn(usize) -> f64| (0..len).map(f).sum::<f64>();
            let whole = sum(&|i| f64::from(a[i]));
            let near = |found: f32, expected: f64| {
                let near = (f64::from(found) - expected).abs() <= 2e-5 * (1.0 + len as f64).sqrt();
                assert!(near, "{unit}, {len} elements: {found}, expected {expected}");
            };
            [1.0, 2.0, -1.0].iter().zip(&found[4]).for_each(|(by, v)| near(*v, by * whole));
            near(found[6][0], sum(&|i| f64::from(a[i]).powi(2)));
            near(found[6][1], sum(&|i| f64::from(a[i]) * f64::from(b[i])));
        }
    }
    assert_same_bits("loops over slices", &found);
}

#[test]
fn a_buffer_is_a_slice_of_its_length() {
    for (unit, found) in on_every_path("buffer", || {
        (0..50)
            .map(|len| {
                let mut buffer = Buffer::zeros(len);
                buffer.iter_mut().enumerate().for_each(|(i, v)| *v += i as f32);
                buffer.to_vec()
            })
            .collect::<Vec<_>>()
    }) {
        for (len, found) in found.into_iter().enumerate() {
            assert_eq!(found, (0..len).map(|i| i as f32).collect::<Vec<_>>(), "{unit}");
        }
    }
}
