//! What a request does about a conflict: it applies its change again to what is stored now.

use shared::store::conflicts::Conflicts;

use crate::http::error::HandlerError;

/// What a conditional write returned; nothing, where a conflict prevented the write and it is to be tried again.
///
/// # Errors
/// [`HandlerError::Contended`] after the last try, and any other error at once.
pub fn resolve<T>(
    conflicts: &mut Conflicts,
    written: Result<T, impl Into<HandlerError>>,
) -> Result<Option<T>, HandlerError> {
    match written.map_err(Into::into) {
        Err(error) if error.is_conflict() && conflicts.retry() => Ok(None),
        Err(error) if error.is_conflict() => Err(HandlerError::Contended),
        written => written.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use shared::store::conflicts::Conflicts;
    use shared::store::error::TableError;

    use super::resolve;
    use crate::http::error::HandlerError;

    const CONFLICT: Result<(), TableError> = Err(TableError::Conflict);

    #[test]
    fn a_conflict_is_tried_again_until_the_fifth() {
        let mut conflicts = Conflicts::default();
        for _ in 1..5 {
            assert!(resolve(&mut conflicts, CONFLICT).unwrap().is_none());
        }
        let last = resolve(&mut conflicts, CONFLICT);
        assert!(matches!(last, Err(HandlerError::Contended)), "{last:?}");
    }

    #[test]
    fn a_write_that_was_done_or_failed_is_not_tried_again() {
        let mut conflicts = Conflicts::default();
        let done = resolve(&mut conflicts, Ok::<_, TableError>(7)).unwrap();
        assert_eq!(done, Some(7));
        let failed = TableError::Unavailable("it was throttled".to_owned());
        let failed = resolve(&mut conflicts, Err::<(), _>(failed));
        assert!(matches!(failed, Err(HandlerError::Table(_))), "{failed:?}");
    }
}
