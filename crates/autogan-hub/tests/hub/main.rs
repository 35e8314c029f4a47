//! Fetching from a local server in place of the hub, and reading the cache.
#![cfg(feature = "fetch")]
// Clippy takes helpers outside test functions for library code.
#![allow(clippy::unwrap_used)]

mod fetch;
mod recorded;
mod server;
mod tables;
