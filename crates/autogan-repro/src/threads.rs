//! Several searches or trainings go on at once, each on one thread.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{ReproError, Result};

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
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let result = pool
            .map_err(|error| ReproError::Threads(error.to_string()))
            .and_then(|pool| pool.install(work));
        if result.is_err() {
            failed.store(true, Ordering::Relaxed);
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
