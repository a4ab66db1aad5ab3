//! What a refusal of EventBridge is about.
//!
//! Sources of the codes: the API reference of `PutEventsResultEntry` and its page "Common Error Types".

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nothing: the same passes a little later.
    Passing,
    /// What was sent: the same never passes.
    Content,
    /// The size of what was sent.
    Size,
    /// Us, the bus, or something unknown: the same passes once somebody has repaired it.
    Trouble,
}

/// Failures that pass by themselves. AWS documents `InternalFailure` and has sent `InternalException`.
const PASSING: [&str; 9] = [
    "InternalException",
    "InternalFailure",
    "RequestAbortedException",
    "RequestLimitExceeded",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Of the codes that AWS documents for an entry, those that are about the entry itself. The others are about permissions
/// (`AccessDeniedException`, `NotAuthorizedForSourceException`, `NotAuthorizedForDetailTypeException`), the account
/// (`InvalidAccountIdException`) or AWS's own log (`RedactionFailure`).
const OF_THE_ENTRY: [&str; 2] = ["InvalidArgument", "MalformedDetail"];

/// A call with a member that AWS does not take is refused as a whole.
const OF_THE_CALL: [&str; 3] = [
    "SerializationException",
    "ValidationError",
    "ValidationException",
];

const TOO_LARGE: &str = "RequestEntityTooLargeException";
/// A call over the limit of its region: `Total size of the entries in the request is over the limit.`
const SIZE: &str = "size";

/// What the error code of an entry is about.
pub(super) fn of_entry(code: &str) -> Refusal {
    if PASSING.contains(&code) {
        Refusal::Passing
    } else if OF_THE_ENTRY.contains(&code) {
        Refusal::Content
    } else {
        Refusal::Trouble
    }
}

/// What the refusal of a whole call is about. Without a status there was no answer.
pub(super) fn of_call(status: Option<u16>, code: Option<&str>, message: Option<&str>) -> Refusal {
    let code = code.unwrap_or_default();
    let is_of_size = || message.is_some_and(|message| message.contains(SIZE));
    match status {
        _ if PASSING.contains(&code) => Refusal::Passing,
        Some(413) => Refusal::Size,
        _ if code == TOO_LARGE => Refusal::Size,
        _ if OF_THE_CALL.contains(&code) && is_of_size() => Refusal::Size,
        _ if OF_THE_CALL.contains(&code) || OF_THE_ENTRY.contains(&code) => Refusal::Content,
        Some(408 | 429) => Refusal::Passing,
        Some(400..=499) => Refusal::Trouble,
        _ => Refusal::Passing,
    }
}

#[cfg(test)]
mod tests {
    use super::{Refusal, of_call, of_entry};

    #[test]
    fn an_entry_is_at_fault_only_where_its_code_says_so() {
        for code in ["InvalidArgument", "MalformedDetail"] {
            assert_eq!(of_entry(code), Refusal::Content, "{code}");
        }
        for code in [
            "ThrottlingException",
            "InternalFailure",
            "InternalException",
        ] {
            assert_eq!(of_entry(code), Refusal::Passing, "{code}");
        }
        for code in [
            "AccessDeniedException",
            "InvalidAccountIdException",
            "NotAuthorizedForDetailTypeException",
            "NotAuthorizedForSourceException",
            "RedactionFailure",
            "NewException",
            "",
        ] {
            assert_eq!(of_entry(code), Refusal::Trouble, "{code}");
        }
    }

    #[test]
    fn a_call_is_at_fault_for_its_content_or_its_size() {
        let size = "Total size of the entries in the request is over the limit.";
        let member = "1 validation error detected: Value at 'entries.1.member.detailType' failed to satisfy constraint";
        let of = |code, message| of_call(Some(400), Some(code), Some(message));
        assert_eq!(of("ValidationException", size), Refusal::Size);
        assert_eq!(of("ValidationException", member), Refusal::Content);
        assert_eq!(of("SerializationException", ""), Refusal::Content);
        assert_eq!(of("InvalidArgument", ""), Refusal::Content);
        assert_eq!(of_call(Some(413), None, None), Refusal::Size);
        let too_large = Some("RequestEntityTooLargeException");
        assert_eq!(of_call(Some(400), too_large, None), Refusal::Size);
    }

    #[test]
    fn a_call_that_aws_did_not_get_to_passes_later() {
        for (status, code) in [
            (None, None),
            (Some(500), Some("NewException")),
            (Some(503), None),
            (Some(408), None),
            (Some(429), None),
            (Some(200), None),
            (Some(400), Some("ThrottlingException")),
            (Some(400), Some("RequestLimitExceeded")),
        ] {
            let refusal = of_call(status, code, None);
            assert_eq!(refusal, Refusal::Passing, "{status:?} {code:?}");
        }
    }

    #[test]
    fn any_other_refusal_of_a_call_is_trouble() {
        for code in [
            Some("AccessDeniedException"),
            Some("ExpiredTokenException"),
            Some("UnrecognizedClientException"),
            Some("InvalidSignatureException"),
            Some("ResourceNotFoundException"),
            Some("NewException"),
            None,
        ] {
            assert_eq!(of_call(Some(400), code, None), Refusal::Trouble, "{code:?}");
        }
        assert_eq!(of_call(Some(403), None, None), Refusal::Trouble);
    }
}
