//! What invokes the function: the schedule, or a `poll.requested` event.

use std::time::Duration;

use aws_types::SdkConfig;
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use shared::close::client::CloseClient;
use shared::close::error::CloseError;
use shared::event::bus::EventBus;
use shared::function::clock::Clock;
use shared::function::metrics::{Measures, Metrics, Service};
use shared::instance::id::InstanceId;
use shared::json;
use shared::store::instances::InstanceTable;
use shared::store::watermarks::WatermarkTable;

use crate::config::Config;
use crate::dispatch::dispatch;
use crate::poll::poll_instance;
use crate::report;

/// `detail-type` of the event that asks for a poll.
pub const POLL_REQUESTED: &str = "poll.requested";
/// `Source` of what the poller itself has to say.
pub const SOURCE: &str = "closeio.poller";
/// `detail-type` of the schedule.
const SCHEDULED: &str = "Scheduled Event";

/// Close answers a search in well under a second; a page of large leads may take some.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// What the function works with, set up once.
#[derive(Debug, Clone)]
pub struct Poller {
    /// The settings.
    pub config: Config,
    /// Close.
    pub close: CloseClient,
    /// The Instances table.
    pub instances: InstanceTable,
    /// The Watermarks table.
    pub watermarks: WatermarkTable,
    /// The bus.
    pub bus: EventBus,
    /// What is measured.
    pub metrics: Metrics,
}

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

impl Poller {
    /// Sets up the adapters; no call is made.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(config: Config, aws: &SdkConfig) -> Result<Self, CloseError> {
        Ok(Self {
            close: CloseClient::new(CLOSE_TIMEOUT, config.policy.base_urls.clone())?,
            instances: InstanceTable::new(aws, config.instances_table.clone()),
            watermarks: WatermarkTable::new(aws, config.watermarks_table.clone()),
            bus: EventBus::new(aws, config.event_bus_name.clone(), config.event_max_bytes),
            metrics: Metrics::new(config.metrics_namespace.clone(), Service::Poller),
            config,
        })
    }

    /// The same for one invocation, so that what it publishes bears its trace.
    #[must_use]
    pub fn traced(&self, header: Option<&str>) -> Self {
        Self {
            bus: self.bus.traced(header),
            ..self.clone()
        }
    }
}

/// Does what an invocation asks for and returns a summary.
///
/// # Errors
/// When nothing could be done: the invocation counts as failed and goes to the dead-letter queue.
pub async fn handle(
    poller: &Poller,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<Value, Diagnostic> {
    let clock = Clock::start();
    let deadline = i64::try_from(event.context.deadline).ok();
    let deadline = deadline.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    let poller = &poller.traced(event.context.xray_trace_id.as_deref());
    let (measures, result) = match parse(&event.payload) {
        Ok(Invocation::Dispatch) => tick(poller, &clock).await,
        Ok(Invocation::Poll(id)) => {
            poll(poller, id, &clock, deadline.unwrap_or(clock.started())).await
        }
        Err(error) => {
            let result = Err(diagnostic("UnknownInvocation", &error));
            (Measures::default(), result)
        }
    };
    poller.metrics.write(measures, clock.now());
    result
}

async fn tick(poller: &Poller, clock: &Clock) -> (Measures, Result<Value, Diagnostic>) {
    let (summary, result) = dispatch(poller, clock).await;
    let value = match &result {
        Ok(()) => to_value(&summary),
        Err(error) => Err(diagnostic("TableUnavailable", error)),
    };
    (report::of_tick(&summary, result.is_ok()), value)
}

async fn poll(
    poller: &Poller,
    id: InstanceId,
    clock: &Clock,
    deadline: Timestamp,
) -> (Measures, Result<Value, Diagnostic>) {
    let policy = &poller.config.policy;
    let (summary, result) = poll_instance(poller, policy, id, clock, deadline).await;
    let value = match result {
        Ok(()) => to_value(&summary),
        Err(error) => Err(diagnostic(error.reason(), &error)),
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
