//! The one failure of DynamoDB that is retried here: a transaction holds the item.

use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::CancellationReason;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::function::aws;
use crate::store::error::TableError;

/// DynamoDB's answer to a plain write of an item that a transaction holds. The SDK does not retry it. Source:
/// docs.aws.amazon.com/amazondynamodb, "Transaction conflict handling in DynamoDB".
const TRANSACTION_CONFLICT: &str = "TransactionConflictException";
/// The reason of a cancellation for the same cause.
const CONFLICT_REASON: &str = "TransactionConflict";
/// The reason of a cancellation where a condition does not hold.
const CONDITION_REASON: &str = "ConditionalCheckFailed";

/// A transaction holds its items for some 10 ms.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// A poll that has much to read commits one transaction after the other.
const MAX_PAUSE: Duration = Duration::from_millis(200);

/// Sends a write of one item, and sends it again while a transaction holds the item, for as long as a call may take.
///
/// # Errors
/// As the last attempt failed.
pub async fn write<T, E, F>(send: impl Fn() -> F) -> Result<T, SdkError<E>>
where
    E: ProvideErrorMetadata,
    F: Future<Output = Result<T, SdkError<E>>>,
{
    retry_conflicts(|error: &E| error.code() == Some(TRANSACTION_CONFLICT), send).await
}

/// Sends a transaction, and sends it again while another holds one of its items, for as long as a call may take.
///
/// # Errors
/// [`TableError::Conflict`] when a condition does not hold; else as the last attempt failed.
pub async fn transact<T, F>(send: impl Fn() -> F) -> Result<T, TableError>
where
    F: Future<Output = Result<T, SdkError<TransactWriteItemsError>>>,
{
    let met_another = |error: &TransactWriteItemsError| {
        has_reason(error, CONFLICT_REASON) && !has_reason(error, CONDITION_REASON)
    };
    let result = retry_conflicts(met_another, send).await;
    result.map_err(|error| match error.as_service_error() {
        Some(service) if has_reason(service, CONDITION_REASON) => TableError::Conflict,
        _ => TableError::unavailable(error),
    })
}

fn has_reason(error: &TransactWriteItemsError, code: &str) -> bool {
    let reasons = match error {
        TransactWriteItemsError::TransactionCanceledException(canceled) => {
            canceled.cancellation_reasons()
        }
        _ => &[],
    };
    let mut codes = reasons.iter().filter_map(CancellationReason::code);
    codes.any(|found| found == code)
}

async fn retry_conflicts<T, E, F>(
    is_conflict: impl Fn(&E) -> bool,
    send: impl Fn() -> F,
) -> Result<T, SdkError<E>>
where
    F: Future<Output = Result<T, SdkError<E>>>,
{
    let mut patience = Patience::default();
    let mut result = send().await;
    while let Err(error) = &result
        && error.as_service_error().is_some_and(&is_conflict)
        && patience.wait().await
    {
        match timeout_at(patience.end, send()).await {
            Ok(again) => result = again,
            Err(_elapsed) => break,
        }
    }
    result
}

/// Pauses between attempts, each twice as long as the one before, with jitter, for as long as a call may take.
#[derive(Debug)]
pub struct Patience {
    pause: Duration,
    end: Instant,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            pause: FIRST_PAUSE,
            end: Instant::now() + aws::OPERATION_TIMEOUT,
        }
    }
}

impl Patience {
    /// Waits. Returns whether another attempt may be made.
    pub async fn wait(&mut self) -> bool {
        let wake = Instant::now() + self.pause.mul_f64(0.5 + fastrand::f64());
        if self.end <= wake {
            return false;
        }
        self.pause = (2 * self.pause).min(MAX_PAUSE);
        sleep_until(wake).await;
        true
    }
}
