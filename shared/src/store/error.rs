//! What can go wrong with a DynamoDB table.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::function::aws;

/// A call to a table failed.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A condition did not hold: somebody else was there first.
    #[error("the item was changed by somebody else")]
    Conflict,
    /// DynamoDB did not answer, or refused; trying again later may help.
    #[error("DynamoDB is unavailable: {0}")]
    Unavailable(String),
    /// An item is not one that this version wrote.
    #[error("an item of the table cannot be read: {0}")]
    Malformed(String),
}

impl TableError {
    /// Any failure of a call that carries no condition.
    pub fn unavailable<E, R>(error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata,
        SdkError<E, R>: std::error::Error,
    {
        Self::Unavailable(aws::describe(&error))
    }

    /// DynamoDB did not process so many items of a batch in time.
    pub(super) fn unprocessed(count: usize) -> Self {
        Self::Unavailable(format!("{count} items were not processed"))
    }
}

impl From<serde_dynamo::Error> for TableError {
    fn from(error: serde_dynamo::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}
