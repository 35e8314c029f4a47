//! [`join`] runs two functions at the same time.

use candle_core::Tensor;

use crate::cuda;
use crate::precision::{computing_in, current};
use crate::tape::apart;

/// Runs both functions, at the same time where threads are free; one after the other where tensors like `beside` are on a
/// GPU, on which what they launch queues up anyway. What either does is no part of gradients that are being recorded
/// around it; each may record gradients of its own. Both compute in the precision of the scope around this call
/// ([`computing_in`]). Neither may set a variable that the other reads.
pub fn join<A: Send, B: Send>(
    beside: &Tensor,
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B + Send,
) -> (A, B) {
    let precision = current();
    let a = move || apart(|| computing_in(precision, a));
    let b = move || apart(|| computing_in(precision, b));
    if cuda::taken(beside) { (a(), b()) } else { rayon::join(a, b) }
}
