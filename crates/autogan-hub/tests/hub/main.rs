//! Fetching from a local server that plays the hub, and reading its cache.
#![cfg(feature = "fetch")]
// Clippy takes helpers outside test functions for library code.
#![allow(clippy::unwrap_used)]

mod fetch;
mod server;
mod tables;
