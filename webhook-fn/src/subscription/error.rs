//! What an error of Close's means for the request that needed Close.

use shared::close::error::CloseError;
use shared::instance::settings::field;
use shared::polling::field_error::FieldError;

use crate::http::error::HandlerError;

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

/// What Close refuses the owner must change; what it cannot do now may work later.
pub fn to_handler_error(error: CloseError) -> HandlerError {
    let refused = |field: &str, message: String| {
        HandlerError::Invalid(vec![FieldError::new(
            &format!("configuration.{field}"),
            message,
        )])
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
        error => HandlerError::Close(error),
    }
}
