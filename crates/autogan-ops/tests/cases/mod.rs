//! Tests of operators at a place: with emulated kernels in the target `emulated`, on a GPU in the target `gpu`. Each of
//! these targets has a module `place`, which names the device, runs a call there, and sets the number of cases and the
//! sizes of layers.

pub mod compare;
pub mod draw;
pub mod layers;
mod operators;
mod precision;
mod scoring;
mod twice;
