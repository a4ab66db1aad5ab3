//! Work that goes on behind an answer, and ends with its owner.

use std::sync::{Mutex, PoisonError};

use tokio::task::JoinSet;

/// A set of tasks; dropping it aborts them.
#[derive(Debug, Default)]
pub(crate) struct Background(Mutex<JoinSet<()>>);

impl Background {
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Finished tasks would otherwise be kept for ever.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
    }
}
