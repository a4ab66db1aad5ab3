//! Schedules: the event that EventBridge sends at each tick.

use std::time::Duration;

use serde_json::json;

use crate::plumbing::clock;
use crate::plumbing::ids::{ACCOUNT, REGION, uuid};
use crate::template::specs::function::ScheduleSpec;

/// When the template's schedules tick.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Only when asked to.
    #[default]
    Off,
    /// At once and then after each such span, whatever the template says.
    Every(Duration),
    /// As the template says; like AWS, first after one whole span.
    Template,
}

impl Mode {
    /// How long until the first tick, and between ticks; `None` if there are none.
    pub(crate) fn interval(self, schedule: &ScheduleSpec) -> Option<(Duration, Duration)> {
        match self {
            Self::Off => None,
            Self::Every(span) => Some((Duration::ZERO, span)),
            Self::Template => Some((schedule.every, schedule.every)),
        }
    }
}

/// The payload of one tick.
pub(crate) fn payload(schedule: &ScheduleSpec) -> String {
    if let Some(input) = &schedule.input {
        return input.clone();
    }
    let event = json!({
        "version": "0",
        "id": uuid(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": clock::seconds(clock::now()),
        "region": REGION,
        "resources": [schedule.rule_arn],
        "detail": {},
    });
    event.to_string()
}
