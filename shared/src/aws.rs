//! The AWS SDK's clients, with timeouts that leave a function time to answer.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// One attempt of one call. DynamoDB and EventBridge answer in milliseconds; one that takes longer than this is retried.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1_500);
/// One call with its retries. A webhook makes at most four calls in its 10 s.
const OPERATION_TIMEOUT: Duration = Duration::from_millis(2_400);
/// The SDK's default of 1 s makes two throttles cost over 3 s.
const INITIAL_BACKOFF: Duration = Duration::from_millis(50);

/// Loads region, credentials and endpoints as the SDK does; endpoints can be changed only by the SDK's own variables.
pub async fn load_config() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(3)
                .with_initial_backoff(INITIAL_BACKOFF),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(OPERATION_TIMEOUT)
                .build(),
        )
        .load()
        .await
}

/// What went wrong with a call, in AWS's words. The SDK's own way to print an error prints the whole answer, which may
/// hold what was stored.
pub fn describe<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata,
    SdkError<E, R>: std::error::Error,
{
    match error.as_service_error() {
        Some(service) => {
            let code = service.code().unwrap_or("an error without a code");
            format!("{code}: {}", service.message().unwrap_or("no message"))
        }
        None => causes(error),
    }
}

/// An error and what caused it.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        texts.push(cause.to_string());
        source = cause.source();
    }
    texts.join(": ")
}
