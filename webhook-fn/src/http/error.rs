//! Why a request is refused, and with which status.

use lambda_http::http::StatusCode;
use serde::Serialize;
use shared::close::error::CloseError;
use shared::event::bus::publication::PublishError;
use shared::instance::backfill::Backfill;
use shared::instance::id::{InstanceId, InstanceIdError};
use shared::polling::field_error::{FieldError, MAX_ERRORS, describe};
use shared::store::error::TableError;
use shared::subscription::error::SubscriptionError;
use shared::text::shortened::shortened;

use super::webhook_error::{PayloadError, SignatureError};

/// An answer's message has so many characters, which hold those of all errors that are shown.
const MAX_MESSAGE: usize = 50_000;

/// A request was not done.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// No such route.
    #[error("there is nothing at this method and path")]
    UnknownRoute,
    /// The path has no valid instance id.
    #[error(transparent)]
    InstanceId(#[from] InstanceIdError),
    /// No such instance.
    #[error("there is no instance {0}")]
    UnknownInstance(InstanceId),
    /// It takes nothing.
    #[error("instance {0} is disabled")]
    Disabled(InstanceId),
    /// The webhook is not proven to be Close's.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The webhook's body is not one that Close sends.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The caller may not do this. Which part was wrong stays ours.
    #[error("Invalid Organization or User secret, or invalid Element token provided.")]
    Unauthorized,
    /// The body is larger than any instance's.
    #[error("expected a body of at most {limit} bytes, but found {found}")]
    TooLarge {
        /// In bytes.
        limit: usize,
        /// In bytes.
        found: usize,
    },
    /// The body is not JSON.
    #[error("expected JSON: {0}")]
    NotJson(String),
    /// Parts of the body are missing or wrong.
    #[error("{}", describe(.0))]
    Invalid(Vec<FieldError>),
    /// EventBridge did not take the event; Close will send it again.
    #[error("the event could not be published; send it again")]
    Publish(#[from] PublishError),
    /// Close did not answer.
    #[error("Close could not be asked; try again")]
    Close(#[source] CloseError),
    /// There is nothing to backfill it by.
    #[error("instance {id} does not poll: {remedy}")]
    NotPolled {
        /// Which.
        id: InstanceId,
        /// What its owner can do.
        remedy: &'static str,
    },
    /// Nothing of it is read until its owner changes it, or Close takes its key again.
    #[error(
        "instance {id} is suspended, for Close has refused {refusals} polls in a row, the last with {reason}: correct its API key with PATCH or PUT, or, if Close was to blame, enable it with PUT at its /enabled; then ask again"
    )]
    Suspended {
        /// Which.
        id: InstanceId,
        /// How many.
        refusals: u32,
        /// What was refused in the last poll and why.
        reason: String,
    },
    /// An instance has one backfill at a time.
    #[error("{}", describe_progress(.0))]
    BackfillUnderWay(Box<Backfill>),
    /// Others change the instance all the time.
    #[error("the instance was changed by others at the same time; try again")]
    Contended,
    /// A change broke off, and what was done of it at Close could not be undone.
    #[error(
        "{error}; until then the subscription at Close may differ from what instance {id} says"
    )]
    Unsettled {
        /// Which.
        id: InstanceId,
        /// Why it broke off.
        error: Box<HandlerError>,
    },
    /// A provisioning broke off, and the instance could not be removed.
    #[error("{error}; instance {id} may be left, half set up: remove it with DELETE")]
    LeftBehind {
        /// Which.
        id: InstanceId,
        /// Why it broke off.
        error: Box<HandlerError>,
    },
    /// The instance is not ready to take a webhook, which Close will send again.
    #[error("instance {0} is being set up; send it again")]
    Provisioning(InstanceId),
    /// The instance is not ready to be changed.
    #[error(
        "instance {0} is being set up: change it when its creation has been answered, or remove it with DELETE if that broke off"
    )]
    NotSetUp(InstanceId),
    /// DynamoDB did not answer.
    #[error("the data could not be reached; try again")]
    Table(#[from] TableError),
    /// What was stored cannot be used any more.
    #[error("the instance's stored configuration is not valid; provision it anew")]
    Configuration(Vec<FieldError>),
    /// No random numbers.
    #[error("the system's random generator failed; try again")]
    Random(#[from] getrandom::Error),
}

/// An error's body.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody<'a> {
    request_id: &'a str,
    message: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl HandlerError {
    /// 4xx where the sender must change something, 5xx where the same request may work later, so that Close sends it again.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::InstanceId(_) | Self::Payload(_) | Self::NotJson(_) | Self::Invalid(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::Signature(_) | Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Disabled(_) => StatusCode::FORBIDDEN,
            Self::UnknownRoute | Self::UnknownInstance(_) => StatusCode::NOT_FOUND,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Configuration(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Contended
            | Self::NotSetUp(_)
            | Self::NotPolled { .. }
            | Self::Suspended { .. }
            | Self::BackfillUnderWay(_) => StatusCode::CONFLICT,
            Self::Publish(_)
            | Self::Close(_)
            | Self::Provisioning(_)
            | Self::Table(_)
            | Self::Random(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unsettled { error, .. } | Self::LeftBehind { error, .. } => error.status(),
        }
    }

    /// Whether somebody else has changed what was read, so that nothing was written.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Table(TableError::Conflict))
    }

    /// What the sender is told.
    pub fn body<'a>(&'a self, request_id: &'a str) -> ErrorBody<'a> {
        let errors = self.errors();
        ErrorBody {
            request_id,
            message: shortened(&self.to_string(), MAX_MESSAGE),
            errors: &errors[..errors.len().min(MAX_ERRORS)],
        }
    }

    fn errors(&self) -> &[FieldError] {
        match self {
            Self::Invalid(errors) => errors,
            Self::Unsettled { error, .. } | Self::LeftBehind { error, .. } => error.errors(),
            _ => &[],
        }
    }

    /// What the log is told beside that: the cause, which is none of the sender's business.
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Publish(error) => Some(error.to_string()),
            Self::Close(error) => Some(error.to_string()),
            Self::Table(error) => Some(error.to_string()),
            Self::Configuration(errors) => Some(describe(errors)),
            Self::Unsettled { error, .. } | Self::LeftBehind { error, .. } => error.cause(),
            _ => None,
        }
    }
}

impl From<SubscriptionError> for HandlerError {
    fn from(error: SubscriptionError) -> Self {
        match error {
            SubscriptionError::Refused(error) => Self::Invalid(vec![error]),
            SubscriptionError::Close(error) => Self::Close(error),
            SubscriptionError::Table(error) => Self::Table(error),
            SubscriptionError::Contended => Self::Contended,
            SubscriptionError::Unsettled { id, error } => Self::Unsettled {
                id,
                error: Box::new(Self::from(*error)),
            },
            SubscriptionError::Configuration(errors) => Self::Configuration(errors),
        }
    }
}

fn describe_progress(backfill: &Backfill) -> String {
    let Backfill {
        resource,
        from,
        to,
        published,
        ..
    } = backfill;
    let progress = match backfill.position {
        Some(position) => format!("has come to {position}, with {published} events published"),
        None => "has published nothing yet".to_owned(),
    };
    format!(
        "a backfill of {resource} from {from} to {to} is under way and {progress}; ask again when it has ended"
    )
}

#[cfg(test)]
mod tests {
    use lambda_http::http::StatusCode;
    use shared::close::error::CloseError;
    use shared::subscription::error::SubscriptionError;

    use super::HandlerError;

    #[test]
    fn the_cause_of_a_subscriptions_error_is_for_the_log_alone() {
        let close = CloseError::Unavailable("status 503".to_owned());
        let unsettled = SubscriptionError::from(close)
            .or_unsettled(7.try_into().unwrap(), Err(SubscriptionError::Contended));
        let error = HandlerError::from(unsettled);
        assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
        insta::assert_snapshot!(error, @"Close could not be asked; try again; until then the subscription at Close may differ from what instance 7 says");
        insta::assert_snapshot!(error.cause().unwrap(), @"Close is unavailable: status 503");
    }

    #[test]
    fn what_close_refuses_is_named_with_its_field() {
        let refused = CloseError::Unauthorized { status: 401 };
        let error = HandlerError::from(SubscriptionError::from(refused));
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
        assert_eq!(error.errors()[0].field, "configuration.username");
        insta::assert_snapshot!(error, @"configuration.username: Close refused this API key with status 401");
    }
}
