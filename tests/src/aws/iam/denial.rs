//! How AWS says no.

use super::need::Need;

/// Why a call is refused before it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Denial {
    /// It has no signature.
    Unsigned,
    /// It is signed with a key that nobody has.
    UnknownKey(String),
    /// It is signed, but not for this service.
    Scope(String),
    /// The caller's role does not allow it.
    Denied {
        /// The ARN of the caller.
        user: String,
        /// The role's key in the template.
        role: Option<String>,
        /// What was not allowed.
        need: Need,
    },
}

impl Denial {
    /// The code that DynamoDB and EventBridge give.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Unsigned => "MissingAuthenticationTokenException",
            Self::UnknownKey(_) => "UnrecognizedClientException",
            Self::Scope(_) => "InvalidSignatureException",
            Self::Denied { .. } => "AccessDeniedException",
        }
    }

    /// The code of the older protocols, which SQS still gives.
    pub(crate) fn query_code(&self) -> &'static str {
        match self {
            Self::UnknownKey(_) => "InvalidClientTokenId",
            Self::Scope(_) => "SignatureDoesNotMatch",
            // SQS lets strangers in where a queue's policy does.
            Self::Unsigned | Self::Denied { .. } => "AccessDenied",
        }
    }

    /// What AWS writes.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Unsigned => "Request is missing Authentication Token".to_owned(),
            Self::UnknownKey(_) => {
                "The security token included in the request is invalid.".to_owned()
            }
            Self::Scope(service) => {
                format!("Credential should be scoped to correct service: '{service}'.")
            }
            Self::Denied { user, need, .. } => {
                let Need { action, resource } = need;
                // SQS writes its actions so.
                let action = match action.strip_prefix("sqs:") {
                    Some(_) => &action.to_lowercase(),
                    None => action,
                };
                format!(
                    "User: {user} is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows the {action} action"
                )
            }
        }
    }
}
