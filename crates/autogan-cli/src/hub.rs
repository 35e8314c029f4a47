//! This module opens the hub that the environment names, with a bar that shows its downloads.

use std::sync::{Arc, Mutex, PoisonError};

use autogan_hub::Hub;
use indicatif::ProgressBar;

use crate::terminal::style;

/// Opens the hub, or its cache alone when `offline`; without a bar when `silent`.
pub fn open(offline: bool, silent: bool) -> Hub {
    let mut hub = Hub::from_env(offline);
    if !silent && !crate::terminal::json() {
        let bar: Mutex<Option<ProgressBar>> = Mutex::new(None);
        hub.progress = Some(Arc::new(move |name, done, total| {
            let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
            draw(bar.get_or_insert_with(ProgressBar::no_length), name, done, total);
            if done == total {
                // Dropping it clears it.
                *bar = None;
            }
        }));
    }
    hub
}

fn draw(bar: &ProgressBar, name: &str, done: u64, total: u64) {
    if bar.message() != name {
        bar.set_style(style("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} left {eta}"));
        bar.set_message(name.to_string());
    }
    bar.set_length(total);
    bar.set_position(done);
}
