//! Mutexes without poison.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks. A panic under one of our locks leaves nothing half-done (each section is a few assignments), so poison is ignored.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
