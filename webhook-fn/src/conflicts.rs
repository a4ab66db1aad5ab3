//! Changes that the changes of others overtake.
//!
//! Every write of an instance is conditional on the version that was read. On a conflict the request reads again and applies
//! the same change to what is stored now.

use crate::http::error::HandlerError;

/// Whoever is overtaken so often is told to come back.
const MAX_TRIES: usize = 5;

/// The conflicts that a change has met so far.
#[derive(Debug, Default)]
pub struct Conflicts(usize);

impl Conflicts {
    /// Counts a conflict. Returns whether to try again.
    pub fn retry(&mut self) -> bool {
        self.0 += 1;
        self.0 < MAX_TRIES
    }

    /// What a conditional write returned; nothing, where a conflict prevented the write and it is to be tried again.
    ///
    /// # Errors
    /// [`HandlerError::Contended`] after the last try, and any other error at once.
    pub fn resolve<T>(
        &mut self,
        written: Result<T, impl Into<HandlerError>>,
    ) -> Result<Option<T>, HandlerError> {
        match written.map_err(Into::into) {
            Err(error) if error.is_conflict() && self.retry() => Ok(None),
            Err(error) if error.is_conflict() => Err(HandlerError::Contended),
            written => written.map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::store::error::TableError;

    use super::{Conflicts, MAX_TRIES};
    use crate::http::error::HandlerError;

    const CONFLICT: Result<(), TableError> = Err(TableError::Conflict);

    #[test]
    fn a_conflict_is_tried_again_until_the_fifth() {
        let mut conflicts = Conflicts::default();
        for _ in 1..MAX_TRIES {
            assert!(conflicts.resolve(CONFLICT).unwrap().is_none());
        }
        let last = conflicts.resolve(CONFLICT);
        assert!(matches!(last, Err(HandlerError::Contended)), "{last:?}");
    }

    #[test]
    fn a_write_that_was_done_or_failed_is_not_tried_again() {
        let mut conflicts = Conflicts::default();
        let done = conflicts.resolve(Ok::<_, TableError>(7)).unwrap();
        assert_eq!(done, Some(7));
        let failed = TableError::Unavailable("it was throttled".to_owned());
        let failed = conflicts.resolve(Err::<(), _>(failed));
        assert!(matches!(failed, Err(HandlerError::Table(_))), "{failed:?}");
    }
}
