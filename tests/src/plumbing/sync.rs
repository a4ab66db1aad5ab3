//! Locks.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a mutex holds; also after a panic of who held it, which fails its own test.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
