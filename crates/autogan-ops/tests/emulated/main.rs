//! The CUDA kernels, compiled as C++ and run without a GPU, against the operators that they are to replace.
//!
//! Every kernel is run on [`case::CASES`] random cases: odd sizes, one channel, batches of one, grids smaller than the
//! work, memory that does not begin at a vector's boundary. What is expected comes from the operator in f64.
//! `cases` runs whole operators. `cargo test --release --workspace --features emulate --test emulated`.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

mod bf16;
mod case;
#[path = "../cases/mod.rs"]
mod cases;
mod conv;
mod elements;
mod gpu;
mod images;
mod library;
mod losses;
mod norm;
mod place;
mod products;
mod sampling;
mod shim;
mod spectral;

/// The sources of these tests, in which every kernel has to be named.
const SOURCES: [&str; 10] = [
    include_str!("bf16.rs"),
    include_str!("conv.rs"),
    include_str!("elements.rs"),
    include_str!("images.rs"),
    include_str!("losses.rs"),
    include_str!("norm.rs"),
    include_str!("products.rs"),
    include_str!("sampling.rs"),
    include_str!("shim.rs"),
    include_str!("spectral.rs"),
];

#[test]
fn every_kernel_has_a_test() {
    let names = library::names();
    assert!(names.len() > 40, "found {} kernels only", names.len());
    for name in names {
        let quoted = format!("\"{name}\"");
        assert!(SOURCES.iter().any(|s| s.contains(&quoted)), "no test launches {name}");
    }
}
