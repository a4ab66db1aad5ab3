//! Why a poll, or the poll of one resource, stopped.

use std::fmt;

use serde::{Serialize, Serializer};
use shared::close::error::CloseError;
use shared::event::bus::publication::PublishError;
use shared::polling::field_error::{FieldError, describe};
use shared::store::error::TableError;

/// How a failure goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// It stays until somebody changes the instance, or its account at Close.
    Refused,
    /// It passes by itself.
    Passing,
    /// The next poll goes on, at once.
    OutOfTime,
    /// Another poll goes on.
    LeaseLost,
    /// It stays until Close shows less, or shows it otherwise.
    Stuck,
}

/// A failure in short: for logs, answers and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// One word of a bounded set.
    pub word: &'static str,
    /// How the failure goes on.
    pub kind: ErrorKind,
}

/// A poll did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// The invocation's time is nearly over: the rest is for the next poll, at once.
    #[error("the time is up; the rest is read by the next poll")]
    OutOfTime,
    /// Another poll took over after this one's lease ran out, or the instance was disabled or removed.
    #[error("the lease was lost; another poll goes on from the last commit")]
    LeaseLost,
    /// More records share one timestamp than Close lets anybody read.
    #[error(
        "more than {read} records share the timestamp {at}, which is more than Close lets anybody read; the watermark stays"
    )]
    TieRunTooLarge {
        /// How many could be read.
        read: usize,
        /// The timestamp.
        at: jiff::Timestamp,
    },
    /// Close sorts otherwise than it was asked to.
    #[error(
        "expected Close to sort by date_updated, ascending, but it did not; the watermark stays"
    )]
    OutOfOrder,
    /// Close's event log leads in a circle.
    #[error("Close's event log returned a cursor that led to a page before; the watermark stays")]
    RepeatedCursor,
    /// Close's event log does not keep its cursors long enough.
    #[error("Close's cursors expired again and again; the watermark stays")]
    CursorsExpire,
    /// Close did not give what was asked for.
    #[error(transparent)]
    Close(#[from] CloseError),
    /// EventBridge did not take what was read.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// EventBridge did not take what the poller itself has to say.
    #[error("EventBridge did not take a notice of the poller; nothing went on without it")]
    NoticeNotPublished,
    /// The ledger does not tell what is on the bus already.
    #[error("the ledger could not be read; the watermark stays: {0}")]
    Ledger(TableError),
    /// DynamoDB did not answer.
    #[error(transparent)]
    Table(TableError),
    /// The stored configuration is none that this version can poll with.
    #[error("the instance's configuration cannot be polled with: {}", describe(.0))]
    Configuration(Vec<FieldError>),
}

impl PollError {
    /// The failure in short.
    pub fn reason(&self) -> Reason {
        Reason {
            word: self.word(),
            kind: self.kind(),
        }
    }

    /// A word for logs, of a bounded set.
    pub fn word(&self) -> &'static str {
        match self {
            Self::OutOfTime => "OutOfTime",
            Self::LeaseLost => "LeaseLost",
            Self::TieRunTooLarge { .. } => "TieRunTooLarge",
            Self::OutOfOrder => "OutOfOrder",
            Self::RepeatedCursor => "RepeatedCursor",
            Self::CursorsExpire => "CursorsExpire",
            Self::Close(CloseError::Unauthorized { .. }) => "Unauthorized",
            Self::Close(CloseError::HostNotAllowed) => "HostNotAllowed",
            Self::Close(CloseError::RateLimited { .. }) => "RateLimited",
            Self::Close(CloseError::Rejected { .. } | CloseError::ExpiredCursor) => "Rejected",
            Self::Close(CloseError::Unavailable(_)) => "CloseUnavailable",
            Self::Publish(_) | Self::NoticeNotPublished => "PublishFailed",
            Self::Table(_) | Self::Ledger(_) => "TableUnavailable",
            Self::Configuration(_) => "Configuration",
        }
    }

    /// How the failure goes on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::OutOfTime => ErrorKind::OutOfTime,
            Self::LeaseLost => ErrorKind::LeaseLost,
            Self::TieRunTooLarge { .. } | Self::RepeatedCursor => ErrorKind::Stuck,
            Self::Configuration(_)
            | Self::Close(
                CloseError::Unauthorized { .. }
                | CloseError::HostNotAllowed
                | CloseError::Rejected { .. },
            ) => ErrorKind::Refused,
            Self::OutOfOrder
            | Self::CursorsExpire
            // An expired cursor never leaves the walk, which reads again from its anchor.
            | Self::Close(
                CloseError::RateLimited { .. }
                | CloseError::Unavailable(_)
                | CloseError::ExpiredCursor,
            )
            | Self::Publish(_)
            | Self::NoticeNotPublished
            | Self::Ledger(_)
            | Self::Table(_) => ErrorKind::Passing,
        }
    }

    /// Whether every retry fails alike: a backfill that meets such an error has failed. An API key may be accepted again, or
    /// replaced.
    pub fn is_lasting(&self) -> bool {
        self.kind() == ErrorKind::Stuck || matches!(self, Self::Close(CloseError::Rejected { .. }))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word)
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word)
    }
}

/// A conflict on a commit means that somebody else holds the lease.
impl From<TableError> for PollError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Conflict => Self::LeaseLost,
            other => Self::Table(other),
        }
    }
}
