//! The queues that notifications go to which were not delivered.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use aws_sdk_sqs::types::MessageAttributeValue;
use aws_types::SdkConfig;
use jiff::{SignedDuration, Timestamp};
use shared::aws;

use super::config::Config;
use super::message::{ATTEMPT, FIRST_FAILURE, Message, NOT_BEFORE, QUEUED_AT, REASON, Retry};
use super::reason::Reason;

/// Source: docs.aws.amazon.com, "`SendMessage`", `DelaySeconds`.
const MAX_DELAY_SECONDS: i32 = 900;
/// SQS hides a message for 12 h at most, counted from when it was handed out, which was some seconds ago.
/// Source: docs.aws.amazon.com, "`ChangeMessageVisibility`".
const MAX_HIDDEN_SECONDS: i32 = 12 * 3_600 - 300;

/// The retry queue and the dead-letter queue.
#[derive(Debug, Clone)]
pub struct Queues {
    client: Client,
    retry_url: String,
    dead_letter_url: String,
}

/// SQS did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("SQS is unavailable: {0}")]
pub struct QueueError(String);

impl Queues {
    /// The queues of the settings.
    pub fn new(aws: &SdkConfig, config: &Config) -> Self {
        Self {
            client: Client::new(aws),
            retry_url: config.retry_queue_url.clone(),
            dead_letter_url: config.dead_letter_queue_url.clone(),
        }
    }

    /// Puts a notification into the retry queue.
    ///
    /// # Errors
    /// When SQS has not taken it.
    pub async fn retry(
        &self,
        message: &Message,
        retry: &Retry,
        reason: Reason,
        now: Timestamp,
    ) -> Result<(), QueueError> {
        let wait = to_seconds(retry.not_before.duration_since(now));
        let send = self.message(&self.retry_url, message, Some(retry), reason);
        let send = send
            .message_attributes(NOT_BEFORE, time(retry.not_before))
            .delay_seconds(wait.min(MAX_DELAY_SECONDS));
        send.send().await.map(drop).map_err(unavailable)
    }

    /// Puts a notification into the dead-letter queue.
    ///
    /// # Errors
    /// When SQS has not taken it.
    pub async fn give_up(&self, message: &Message, reason: Reason) -> Result<(), QueueError> {
        let retry = message.retry.as_ref();
        let send = self.message(&self.dead_letter_url, message, retry, reason);
        send.send().await.map(drop).map_err(unavailable)
    }

    /// Lets a message of the retry queue come again after `wait`, or earlier where that is too long for SQS.
    ///
    /// # Errors
    /// When SQS has not done so.
    pub async fn hide(&self, message: &Message, wait: SignedDuration) -> Result<(), QueueError> {
        let change = self
            .client
            .change_message_visibility()
            .queue_url(&self.retry_url)
            .receipt_handle(&message.receipt_handle)
            .visibility_timeout(to_seconds(wait).min(MAX_HIDDEN_SECONDS));
        change.send().await.map(drop).map_err(unavailable)
    }

    fn message(
        &self,
        url: &str,
        message: &Message,
        retry: Option<&Retry>,
        reason: Reason,
    ) -> SendMessageFluentBuilder {
        let send = self
            .client
            .send_message()
            .queue_url(url)
            .message_body(&message.body)
            .message_attributes(QUEUED_AT, time(message.queued_at))
            .message_attributes(REASON, attribute("String", reason.to_string()));
        match retry {
            None => send,
            Some(retry) => send
                .message_attributes(ATTEMPT, attribute("Number", retry.attempt.to_string()))
                .message_attributes(FIRST_FAILURE, time(retry.first_failure)),
        }
    }
}

/// Whole seconds, rather too many than too few.
fn to_seconds(wait: SignedDuration) -> i32 {
    let seconds = Duration::try_from(wait).unwrap_or_default().as_secs_f64();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, and waits are far shorter"
    )]
    let seconds = seconds.ceil() as i32;
    seconds
}

fn time(time: Timestamp) -> MessageAttributeValue {
    attribute("Number", time.as_millisecond().to_string())
}

fn attribute(data_type: &str, value: String) -> MessageAttributeValue {
    #[expect(clippy::expect_used, reason = "the one required member is given")]
    MessageAttributeValue::builder()
        .data_type(data_type)
        .string_value(value)
        .build()
        .expect("a data type is given")
}

fn unavailable<E, R>(error: SdkError<E, R>) -> QueueError
where
    E: ProvideErrorMetadata,
    SdkError<E, R>: std::error::Error,
{
    QueueError(aws::describe(&error))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::to_seconds;

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        for (millis, seconds) in [
            (-5, 0),
            (0, 0),
            (1, 1),
            (1_000, 1),
            (7_200, 8),
            (43_200_000, 43_200),
        ] {
            assert_eq!(to_seconds(SignedDuration::from_millis(millis)), seconds);
        }
    }
}
