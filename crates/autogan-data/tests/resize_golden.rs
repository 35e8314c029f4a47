//! Resizing against Pillow, bit for bit (`scripts/make_resize_golden.py` made the values).
// Clippy takes helpers outside test functions for library code.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use autogan_data::{Images, resize_plane};

/// The input pixels as the script makes them.
fn pixels(seed: u64, count: usize, extreme: bool) -> Vec<u8> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let top = (state >> 56) as u8;
            match extreme {
                true if top >= 128 => 255,
                true => 0,
                false => top,
            }
        })
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn every_size_is_bit_equal_to_pillow() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/data/resize.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let mut cases = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(' ').collect();
        let number = |i: usize| fields[i].parse::<usize>().unwrap();
        let (from, to) = ((number(2), number(3)), (number(4), number(5)));
        let input = pixels(number(0) as u64, 3 * from.0 * from.1, number(1) == 1);
        let want = unhex(fields[6]);
        assert_eq!(want.len(), 3 * to.0 * to.1);
        let mut got = vec![0; want.len()];
        let planes = input.chunks(from.0 * from.1);
        for (plane, out) in planes.zip(got.chunks_mut(to.0 * to.1)) {
            resize_plane(plane, from, out, to);
        }
        assert!(got == want, "{from:?} to {to:?}, seed {}", fields[0]);
        if from.0 == from.1 && to.0 == to.1 {
            let images = Images::new("golden", from.0, input, None, vec![]).unwrap();
            assert_eq!(images.resize(to.0).unwrap().data(), want);
        }
        cases += 1;
    }
    assert!(cases >= 20, "only {cases} golden cases");
}
