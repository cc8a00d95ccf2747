//! Takes a lock under which nothing panics, so that it is never poisoned.

use std::sync::{Mutex, MutexGuard};

/// Waits for the lock. Its holders do only a little, and never wait.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("nothing panics while it holds the lock")
}
