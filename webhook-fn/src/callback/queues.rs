//! The queues that notifications go to which were not delivered.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use aws_sdk_sqs::types::MessageAttributeValue;
use aws_types::SdkConfig;
use jiff::{SignedDuration, Timestamp};
use shared::function::aws;
use shared::instance::id::InstanceId;

use super::config::Config;
use super::message::{ATTEMPT, FIRST_FAILURE, Message, REASON};
use super::reason::Reason;

/// The longest that a queue keeps a message back.
/// Source: docs.aws.amazon.com, "`SendMessage`", `DelaySeconds`.
pub const MAX_DELAY: SignedDuration = SignedDuration::from_mins(15);

/// The retry queue, the dead-letter queue and the failure queue.
#[derive(Debug, Clone)]
pub struct Queues {
    client: Client,
    retry_url: String,
    dead_letter_url: String,
    failure_url: String,
}

/// A notification for the retry queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued<'a> {
    /// Whose.
    pub instance_id: InstanceId,
    /// The event, as it came.
    pub body: &'a str,
    /// How many attempts have failed.
    pub attempts: u32,
    /// When the first failed, if one has.
    pub first_failure: Option<Timestamp>,
    /// How the last failed, if one has.
    pub reason: Option<&'a str>,
    /// The time until the next.
    pub delay: SignedDuration,
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
            failure_url: config.failure_queue_url.clone(),
        }
    }

    /// Puts a notification into the retry queue. Its instance is its message group, so that SQS delivers the notifications of
    /// others before those of an instance that takes much of callback-fn's time.
    ///
    /// # Errors
    /// When SQS has not taken it.
    pub async fn retry(&self, queued: &Queued<'_>) -> Result<(), QueueError> {
        let send = self.message(&self.retry_url, queued.body);
        let send = send
            .message_group_id(queued.instance_id.to_string())
            .delay_seconds(to_seconds(queued.delay.min(MAX_DELAY)));
        let send = tried(send, queued.attempts, queued.first_failure);
        self.send(send, queued.reason).await
    }

    /// Puts a notification where it ends that is not tried again.
    ///
    /// # Errors
    /// When SQS has not taken it.
    pub async fn give_up(&self, message: &Message, reason: Reason) -> Result<(), QueueError> {
        let url = if reason.is_the_operators() {
            &self.failure_url
        } else {
            &self.dead_letter_url
        };
        let send = self.message(url, &message.body);
        let send = tried(send, message.attempts, message.first_failure);
        self.send(send, Some(&reason.to_string())).await
    }

    fn message(&self, url: &str, body: &str) -> SendMessageFluentBuilder {
        let send = self.client.send_message();
        send.queue_url(url).message_body(body)
    }

    async fn send(
        &self,
        send: SendMessageFluentBuilder,
        reason: Option<&str>,
    ) -> Result<(), QueueError> {
        let send = match reason {
            Some(reason) => send.message_attributes(REASON, attribute("String", reason.to_owned())),
            None => send,
        };
        send.send().await.map(drop).map_err(unavailable)
    }
}

fn tried(
    send: SendMessageFluentBuilder,
    attempts: u32,
    first_failure: Option<Timestamp>,
) -> SendMessageFluentBuilder {
    let send = send.message_attributes(ATTEMPT, attribute("Number", attempts.to_string()));
    match first_failure {
        Some(time) => send.message_attributes(
            FIRST_FAILURE,
            attribute("Number", time.as_millisecond().to_string()),
        ),
        None => send,
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
        for (millis, seconds) in [(-5, 0), (0, 0), (1, 1), (1_000, 1), (7_200, 8)] {
            assert_eq!(to_seconds(SignedDuration::from_millis(millis)), seconds);
        }
    }
}
