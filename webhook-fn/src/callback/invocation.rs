//! What invokes the function: a batch of messages, or the schedule.

use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use shared::function::clock::Clock;
use shared::function::metrics::Measures;
use shared::json;

use super::app::App;
use super::batch::Batch;
use super::deliver::deliver;
use super::message::{Message, SqsEvent};
use super::release::release;
use super::report;

/// `detail-type` of the schedule.
const SCHEDULED: &str = "Scheduled Event";

/// What the function is asked to do.
#[derive(Debug)]
enum Invocation {
    Deliver(SqsEvent),
    Release,
}

#[derive(Deserialize)]
struct ScheduledEvent {
    #[serde(rename = "detail-type")]
    detail_type: String,
}

/// Nobody of ours sends this.
#[derive(Debug, thiserror::Error)]
#[error("expected messages of a queue in `Records`, or a `{SCHEDULED}`")]
struct UnknownInvocation;

/// Does what an invocation asks for. Of a batch it returns the messages that stay in their queue.
///
/// # Errors
/// When the invocation is unknown, or the table of those that wait does not answer a tick.
pub async fn handle(app: &App, event: LambdaEvent<Box<RawValue>>) -> Result<Value, Diagnostic> {
    let clock = Clock::start();
    // Of a process that is new, whatever becomes of its first invocation.
    app.metrics.write(Measures::default(), clock.started());
    match parse(&event.payload) {
        Ok(Invocation::Deliver(batch)) => handle_batch(app, batch, clock).await,
        Ok(Invocation::Release) => tick(app, &clock).await,
        Err(error) => Err(diagnostic("UnknownInvocation", &error)),
    }
}

async fn handle_batch(app: &App, event: SqsEvent, clock: Clock) -> Result<Value, Diagnostic> {
    let read = |record| Message::read(record, &app.config.retry_queue_url);
    let mut messages: Vec<_> = event.records.into_iter().map(read).collect();
    join_chains(&mut messages);
    let batch = Batch {
        outside: app,
        recent: &app.recent,
        allow_loopback: app.config.allow_loopback,
        clock,
    };
    let handled = deliver(batch, &messages).await;
    let now = clock.now();
    for measures in report::of_batch(&handled, now) {
        app.metrics.write(measures, now);
    }
    handled.log();
    to_value(&handled.answer())
}

/// What is sent because of a batch belongs to the chains of all its messages: AWS does not document to which alone.
fn join_chains(messages: &mut [Message]) {
    let hops = messages.iter().map(|message| message.hops).max();
    for message in messages {
        message.hops = hops.unwrap_or_default();
    }
}

async fn tick(app: &App, clock: &Clock) -> Result<Value, Diagnostic> {
    let (released, result) = release(app, clock).await;
    let measures = report::of_tick(&released, result.is_ok());
    app.metrics.write(measures, clock.now());
    tracing::info!(
        released.released,
        released.failed,
        released.overdue,
        "notifications that waited were released"
    );
    match result {
        Ok(()) => to_value(&released),
        Err(error) => Err(diagnostic("TableUnavailable", &error)),
    }
}

fn parse(payload: &RawValue) -> Result<Invocation, UnknownInvocation> {
    if let Ok(batch) = json::read(payload.get()) {
        return Ok(Invocation::Deliver(batch));
    }
    match json::read::<ScheduledEvent>(payload.get()) {
        Ok(event) if event.detail_type == SCHEDULED => Ok(Invocation::Release),
        _ => Err(UnknownInvocation),
    }
}

/// What Lambda records of a failure.
fn diagnostic(reason: &str, error: &dyn std::error::Error) -> Diagnostic {
    Diagnostic {
        error_type: reason.to_owned(),
        error_message: error.to_string(),
    }
}

fn to_value(answer: &impl Serialize) -> Result<Value, Diagnostic> {
    serde_json::to_value(answer).map_err(|error| diagnostic("Answer", &error))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Invocation, UnknownInvocation};

    fn parse(payload: &Value) -> Result<Invocation, UnknownInvocation> {
        super::parse(&serde_json::value::to_raw_value(payload).unwrap())
    }

    #[test]
    fn queues_deliver_and_the_schedule_releases() {
        let batch = json!({"Records": []});
        assert!(matches!(parse(&batch), Ok(Invocation::Deliver(_))));
        let schedule =
            json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
        assert!(matches!(parse(&schedule), Ok(Invocation::Release)));
    }

    #[test]
    fn anything_else_is_refused() {
        for payload in [
            json!({}),
            json!("tick"),
            json!({"Records": [{}]}),
            json!({"detail-type": "lead.created"}),
        ] {
            assert!(parse(&payload).is_err(), "{payload}");
        }
    }
}
