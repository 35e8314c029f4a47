//! Several searches or trainings go on at once, each on one thread.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{ReproError, Result};

/// Sets its flag when it is dropped: after an error, and after a panic.
struct Fails<'a>(&'a AtomicBool);

impl Drop for Fails<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does `work` on so many threads, each with a pool of one thread for all loops of the operators. `failed` is set as soon as
/// one of them fails.
///
/// # Errors
/// The first error of `work`, or that there is no thread to be had.
pub(crate) fn on_each(
    threads: usize,
    failed: &AtomicBool,
    work: &(dyn Fn() -> Result<()> + Sync),
) -> Result<()> {
    let alone = || {
        let unless_done = Fails(failed);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let result = pool
            .map_err(|error| ReproError::Threads(error.to_string()))
            .and_then(|pool| pool.install(work));
        if result.is_ok() {
            std::mem::forget(unless_done);
        }
        result
    };
    let results: Vec<Result<()>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(alone)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<()>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    });
    results.into_iter().collect()
}
