//! Cases of operators that run at a place: by emulated kernels in `emulated`, on a GPU in `gpu`. Each of these targets
//! has a module `place` that says which device it is, what has to stand around the calls, how many cases are run, and on
//! layers of which sizes.

pub mod compare;
pub mod draw;
pub mod layers;
mod operators;
mod precision;
mod scoring;
mod twice;
