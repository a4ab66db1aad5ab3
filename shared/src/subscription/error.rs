//! Why a subscription is not what the stored instance says.

use crate::close::error::CloseError;
use crate::instance::id::InstanceId;
use crate::instance::settings::field;
use crate::polling::field_error::{FieldError, describe};
use crate::store::error::TableError;

/// A subscription could not be made what the stored instance says. Each text says what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// Close refuses the API key, its address or the subscription until the owner changes that field.
    #[error("{0}")]
    Refused(FieldError),
    /// Close did not answer, or takes nothing for now: the same may work later.
    #[error("{0}; try again")]
    Close(CloseError),
    /// DynamoDB did not answer: the same may work later. On a [`TableError::Conflict`] nothing was stored: begin with what is
    /// stored now.
    #[error("{0}; try again")]
    Table(#[from] TableError),
    /// Others change the instance all the time: the same may work later.
    #[error("the instance was changed by others at the same time; try again")]
    Contended,
    /// What was begun at Close could not be undone: settling the instance ends it.
    #[error(
        "{error}; until then the subscription at Close may differ from what instance {id} says"
    )]
    Unsettled {
        /// Which.
        id: InstanceId,
        /// Why it broke off.
        error: Box<SubscriptionError>,
    },
    /// What was stored cannot be used any more: the owner must provision it anew.
    #[error("the stored configuration is not valid; provision it anew: {}", describe(.0))]
    Configuration(Vec<FieldError>),
}

impl SubscriptionError {
    /// Whether somebody else has changed what was read, so that nothing was stored.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Table(TableError::Conflict))
    }

    /// The error, which says so where it could not be undone what was done at Close.
    #[must_use]
    pub fn or_unsettled(self, id: InstanceId, undone: Result<(), Self>) -> Self {
        let Err(failure) = undone else {
            return self;
        };
        failure.log(id);
        Self::Unsettled {
            id,
            error: Box::new(self),
        }
    }

    /// Logs that an instance's subscription is left as it is for this reason.
    pub fn log(&self, id: InstanceId) {
        tracing::error!(instance.id = %id, failure = %self, "the subscription at Close may differ from the instance's");
    }
}

/// What Close refuses the owner must change; what it cannot do now may work later.
impl From<CloseError> for SubscriptionError {
    fn from(error: CloseError) -> Self {
        let refused = |field: &str, message: String| {
            Self::Refused(FieldError::new(&format!("configuration.{field}"), message))
        };
        match error {
            CloseError::Unauthorized { status } => refused(
                field::USERNAME,
                format!("Close refused this API key with status {status}"),
            ),
            CloseError::HostNotAllowed => refused(field::BASE_URL, error.to_string()),
            CloseError::Rejected { message, .. } => refused(
                field::SUBSCRIBE,
                format!("Close refused the subscription: {message}"),
            ),
            error => Self::Close(error),
        }
    }
}

/// Whether Close lets only others change this subscription: whoever made it, and admins.
pub fn is_locked(error: &CloseError) -> bool {
    matches!(error, CloseError::Unauthorized { status: 403 })
}

/// Whether we can do nothing at this account, now or later.
pub fn is_shut_out(error: &CloseError) -> bool {
    matches!(
        error,
        CloseError::Unauthorized { .. } | CloseError::HostNotAllowed
    )
}

#[cfg(test)]
mod tests {
    use super::SubscriptionError;
    use crate::close::error::CloseError;
    use crate::store::error::TableError;

    #[test]
    fn what_close_refuses_is_about_the_field_that_its_owner_must_change() {
        let text = |error: CloseError| SubscriptionError::from(error).to_string();
        insta::assert_snapshot!(text(CloseError::Unauthorized { status: 401 }), @"configuration.username: Close refused this API key with status 401");
        insta::assert_snapshot!(text(CloseError::HostNotAllowed), @"configuration.base.url: the instance's base.url is none of Close's and not, or no longer, among CloseBaseUrls: nothing is sent there");
        let rejected = CloseError::Rejected {
            status: 400,
            message: "Too many subscriptions.".to_owned(),
        };
        insta::assert_snapshot!(text(rejected), @"configuration.event.webhook.subscribe: Close refused the subscription: Too many subscriptions.");
        insta::assert_snapshot!(text(CloseError::Unavailable("status 503".to_owned())), @"Close is unavailable: status 503; try again");
    }

    #[test]
    fn what_could_not_be_undone_is_said() {
        let id = 7.try_into().unwrap();
        let error = || SubscriptionError::from(TableError::Conflict);
        assert!(error().or_unsettled(id, Ok(())).is_conflict());
        let unsettled = error().or_unsettled(id, Err(SubscriptionError::Contended));
        assert!(!unsettled.is_conflict());
        insta::assert_snapshot!(unsettled, @"the item was changed by somebody else; try again; until then the subscription at Close may differ from what instance 7 says");
    }
}
