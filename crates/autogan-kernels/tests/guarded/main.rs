//! Every kernel on odd sizes, on every path of the processor, with each buffer between two pages that nobody may touch.
//!
//! `docs/performance.md` says how a path is tested. Most kernels make their results and buffers themselves; so the pages
//! are those of the whole program's allocator.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

#[cfg(unix)]
mod common;
#[cfg(unix)]
mod conv;
#[cfg(unix)]
mod inference;
#[cfg(unix)]
mod loops;
#[cfg(unix)]
mod norm;
#[cfg(unix)]
mod probe;
#[cfg(unix)]
mod products;
#[cfg(unix)]
mod winograd;

#[cfg(unix)]
#[global_allocator]
static MEMORY: autogan_testing::guard::Guarded = autogan_testing::guard::Guarded;
