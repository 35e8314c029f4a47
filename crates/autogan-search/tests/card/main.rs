//! A search and a training from scratch on the CPU, step by step beside the same on a card.
//!
//! `AUTOGAN_TEST_DEVICE` names the card, `cuda:0` when unset. Run by `cargo xtask gpu-check`.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

#[path = "../beside/mod.rs"]
mod beside;
#[path = "../../../../tests/device.rs"]
mod device;
mod place;
#[path = "../search/tiny.rs"]
mod tiny;
