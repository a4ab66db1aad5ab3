//! What invokes the function: the schedule, or a `poll.requested` event.

use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use shared::function::clock::Clock;
use shared::function::metrics::Measures;
use shared::instance::id::InstanceId;
use shared::json;

use crate::app::App;
use crate::dispatch::dispatch;
use crate::enlist::enlist;
use crate::own_events::POLL_REQUESTED;
use crate::poll::poll_instance;

/// `detail-type` of the schedule.
const SCHEDULED: &str = "Scheduled Event";

/// What the function is asked to do.
#[derive(Debug, PartialEq, Eq)]
enum Invocation {
    Dispatch,
    Poll(InstanceId),
}

/// The envelope that EventBridge gives both. Whoever may put events on the bus has written the detail, so it is kept as it
/// is until its type is known.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "detail-type")]
    detail_type: String,
    #[serde(borrow, default)]
    detail: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PollRequested {
    instance_id: InstanceId,
}

/// Nobody of ours sends this.
#[derive(Debug, thiserror::Error)]
#[error("expected a `{SCHEDULED}` or a `{POLL_REQUESTED}` with an `instanceId` in its detail")]
struct UnknownInvocation;

/// Does what an invocation asks for and returns a summary.
///
/// # Errors
/// When nothing could be done: the invocation counts as failed and goes to the dead-letter queue.
pub async fn handle(app: &App, event: LambdaEvent<Box<RawValue>>) -> Result<Value, Diagnostic> {
    let clock = Clock::start();
    let deadline = i64::try_from(event.context.deadline).ok();
    let deadline = deadline.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    let app = &app.traced(event.context.xray_trace_id.as_deref());
    let (measures, result) = match parse(&event.payload) {
        Ok(Invocation::Dispatch) => tick(app, &clock).await,
        Ok(Invocation::Poll(id)) => {
            poll(app, id, &clock, deadline.unwrap_or(clock.started())).await
        }
        Err(error) => {
            let result = Err(diagnostic("UnknownInvocation", &error));
            (Measures::default(), result)
        }
    };
    app.metrics.write(measures, clock.now());
    result
}

async fn tick(app: &App, clock: &Clock) -> (Measures, Result<Value, Diagnostic>) {
    let (tick, result) = dispatch(app, clock).await;
    enlist(app, clock).await;
    let value = match &result {
        Ok(()) => to_value(&tick),
        Err(error) => Err(diagnostic("TableUnavailable", error)),
    };
    (tick.measures(result.is_ok()), value)
}

async fn poll(
    app: &App,
    id: InstanceId,
    clock: &Clock,
    deadline: Timestamp,
) -> (Measures, Result<Value, Diagnostic>) {
    let policy = &app.config.policy;
    let (summary, result) = poll_instance(app, policy, id, clock, deadline).await;
    let value = match result {
        Ok(()) => to_value(&summary),
        Err(error) => Err(diagnostic(error.word(), &error)),
    };
    (summary.measures(id), value)
}

/// What Lambda records of a failure.
fn diagnostic(reason: &str, error: &dyn std::error::Error) -> Diagnostic {
    Diagnostic {
        error_type: reason.to_owned(),
        error_message: error.to_string(),
    }
}

fn to_value(summary: &impl Serialize) -> Result<Value, Diagnostic> {
    serde_json::to_value(summary).map_err(|error| diagnostic("Summary", &error))
}

fn parse(payload: &RawValue) -> Result<Invocation, UnknownInvocation> {
    let envelope: Envelope<'_> = json::read(payload.get()).map_err(|_| UnknownInvocation)?;
    match envelope.detail_type.as_str() {
        SCHEDULED => Ok(Invocation::Dispatch),
        POLL_REQUESTED => {
            let detail = envelope.detail.ok_or(UnknownInvocation)?;
            let requested: PollRequested =
                json::read(detail.get()).map_err(|_| UnknownInvocation)?;
            Ok(Invocation::Poll(requested.instance_id))
        }
        _ => Err(UnknownInvocation),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Invocation, UnknownInvocation};

    fn parse(payload: &Value) -> Result<Invocation, UnknownInvocation> {
        super::parse(&serde_json::value::to_raw_value(payload).unwrap())
    }

    #[test]
    fn the_schedule_dispatches_and_a_request_polls() {
        let schedule =
            json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
        assert_eq!(parse(&schedule).unwrap(), Invocation::Dispatch);
        let request = json!({"source": "closeio.poller", "detail-type": "poll.requested", "detail": {"instanceId": 20931}});
        assert_eq!(
            parse(&request).unwrap(),
            Invocation::Poll(20931.try_into().unwrap())
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for payload in [
            json!({}),
            json!("poll"),
            json!({"detail-type": "poll.requested"}),
            json!({"detail-type": "poll.requested", "detail": {}}),
            json!({"detail-type": "poll.requested", "detail": {"instanceId": 0}}),
            json!({"detail-type": "lead.created", "detail": {"instanceId": 1}}),
        ] {
            assert!(parse(&payload).is_err(), "{payload}");
        }
    }
}
