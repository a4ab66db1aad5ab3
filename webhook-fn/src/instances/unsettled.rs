//! Failures after which Close may not have what is stored.

use shared::instance::id::InstanceId;
use shared::subscription::settle::settle;

use crate::http::error::HandlerError;
use crate::subscription::reach::Reach;

/// Settles the instance whose webhooks go to `url` after a write that failed, which may have been done. Returns the error of
/// that, which says so where settling fails, too.
pub async fn settle_after(
    reach: &Reach<'_>,
    id: InstanceId,
    url: &str,
    error: HandlerError,
) -> HandlerError {
    match settle(reach, id, url).await {
        Ok(_) => error,
        Err(failure) => {
            failure.log(id);
            unsettled(id, error)
        }
    }
}

/// The error, which says that Close may not have what is stored.
pub fn unsettled(id: InstanceId, error: impl Into<HandlerError>) -> HandlerError {
    HandlerError::Unsettled {
        id,
        error: Box::new(error.into()),
    }
}
