//! [`holding`] sets a value of a thread while a function runs.

use std::cell::RefCell;
use std::thread::LocalKey;

/// Runs `f` while `place` holds `value`, and puts back what it held before, however `f` ends.
pub(crate) fn holding<T: 'static, R>(
    place: &'static LocalKey<RefCell<T>>,
    value: T,
    f: impl FnOnce() -> R,
) -> R {
    struct Restore<T: 'static>(&'static LocalKey<RefCell<T>>, Option<T>);
    impl<T: 'static> Drop for Restore<T> {
        fn drop(&mut self) {
            drop(self.1.take().map(|before| self.0.replace(before)));
        }
    }
    let _restore = Restore(place, Some(place.replace(value)));
    f()
}
