//! The CUDA kernels, compiled as C++ and run without a GPU, compared with the operators of the CPU.
//!
//! Every kernel is run on `CASES` random cases: odd sizes, one channel, batches of one, grids smaller than the
//! work, memory that does not begin at a vector's boundary. The expected values come from the operator in f64.
//! `cases` runs whole operators. `cargo test --release --workspace --features emulate --test emulated`.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

mod cases;

/// The tests of single kernels, and the place of the cases.
mod emulated {
    mod bf16;
    mod case;
    mod conv;
    mod elements;
    mod images;
    mod losses;
    mod norm;
    pub mod place;
    mod products;
    mod sampling;
    mod shim;
    mod spectral;
}

use autogan_testing::kernels;
use emulated::place;

/// The sources of these tests. They have to name every kernel.
const SOURCES: [&str; 10] = [
    include_str!("emulated/bf16.rs"),
    include_str!("emulated/conv.rs"),
    include_str!("emulated/elements.rs"),
    include_str!("emulated/images.rs"),
    include_str!("emulated/losses.rs"),
    include_str!("emulated/norm.rs"),
    include_str!("emulated/products.rs"),
    include_str!("emulated/sampling.rs"),
    include_str!("emulated/shim.rs"),
    include_str!("emulated/spectral.rs"),
];

#[test]
fn every_kernel_has_a_test() {
    let names = kernels::names();
    assert!(names.len() > 40, "found {} kernels only", names.len());
    for name in names {
        let quoted = format!("\"{name}\"");
        assert!(SOURCES.iter().any(|s| s.contains(&quoted)), "no test launches {name}");
    }
}
