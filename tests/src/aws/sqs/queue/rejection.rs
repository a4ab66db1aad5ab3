//! What SQS refuses, in its own words.

/// A refused request, or a refused entry of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) kind: RejectionKind,
    pub(crate) message: String,
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RejectionKind {
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InvalidAttributeName,
    InvalidBatchEntryId,
    InvalidMessageContents,
    InvalidParameterValue,
    MalformedInput,
    MessageNotInflight,
    MissingParameter,
    OverLimit,
    QueueDoesNotExist,
    ReceiptHandleIsInvalid,
    TooManyEntriesInBatchRequest,
}

impl RejectionKind {
    /// `__type` of the JSON protocol.
    pub(crate) fn shape(self) -> String {
        match self {
            Self::InvalidParameterValue => coral("InvalidParameterValueException"),
            Self::MalformedInput => coral("SerializationException"),
            Self::MissingParameter => coral("MissingRequiredParameterException"),
            _ => format!("com.amazonaws.sqs#{self:?}"),
        }
    }

    /// The code of the older query protocol, which SDKs show.
    pub(crate) fn code(self) -> String {
        match self {
            Self::QueueDoesNotExist => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
            Self::BatchEntryIdsNotDistinct
            | Self::BatchRequestTooLong
            | Self::EmptyBatchRequest
            | Self::InvalidBatchEntryId
            | Self::MessageNotInflight
            | Self::TooManyEntriesInBatchRequest => format!("AWS.SimpleQueueService.{self:?}"),
            _ => format!("{self:?}"),
        }
    }
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.kind.code(), self.message)
    }
}

impl std::error::Error for Rejection {}

impl Rejection {
    pub(crate) fn new(kind: RejectionKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(RejectionKind::InvalidParameterValue, message)
    }

    /// A value that a parameter does not take.
    pub(crate) fn invalid_value(
        parameter: &str,
        value: impl std::fmt::Display,
        reason: &str,
    ) -> Self {
        Self::invalid(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: {reason}."
        ))
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        let message = format!("The request must contain the parameter {parameter}.");
        Self::new(RejectionKind::MissingParameter, message)
    }

    pub(crate) fn invalid_contents() -> Self {
        let message = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";
        Self::new(RejectionKind::InvalidMessageContents, message)
    }

    pub(crate) fn invalid_handle(handle: &str) -> Self {
        let message =
            format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
        Self::new(RejectionKind::ReceiptHandleIsInvalid, message)
    }
}

fn coral(name: &str) -> String {
    format!("com.amazon.coral.service#{name}")
}
