//! One entry of a `PutEvents` call, and what makes EventBridge refuse it.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Number;
use serde_json::value::RawValue;

use super::detail;

/// `Time` counts as this many bytes, whatever it is.
const TIME_BYTES: usize = 14;
const MAXIMUM_DETAIL_TYPE: usize = 128;

/// An entry as it came.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct PutEventsEntry {
    /// Seconds since 1970, perhaps with a fraction.
    pub time: Option<Number>,
    /// Who sends it.
    pub source: Option<String>,
    /// ARNs.
    #[serde(default)]
    pub resources: Vec<String>,
    /// What kind of event it is.
    pub detail_type: Option<String>,
    /// The event itself, a JSON text.
    pub detail: Option<String>,
    /// The name or the ARN of the bus; without one it is the account's default bus.
    pub event_bus_name: Option<String>,
    /// The X-Ray trace header.
    pub trace_header: Option<String>,
}

/// Why one entry is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryError {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// What a sound entry has for certain.
pub(crate) struct Checked {
    pub(crate) time: Option<Timestamp>,
    pub(crate) source: String,
    pub(crate) detail_type: String,
    pub(crate) detail: Box<RawValue>,
}

impl EntryError {
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
        }
    }

    fn invalid(parameter: &str, reason: &str) -> Self {
        let message = format!("Parameter {parameter} is not valid. Reason: {reason}");
        Self::new("InvalidArgument", message)
    }
}

impl PutEventsEntry {
    /// The entry's size as EventBridge counts it.
    pub fn bytes(&self) -> usize {
        let texts = [&self.source, &self.detail_type, &self.detail];
        let texts = texts.into_iter().flatten().chain(&self.resources);
        let time = self.time.as_ref().map_or(0, |_| TIME_BYTES);
        time + texts.map(String::len).sum::<usize>()
    }
}

pub(crate) fn check(entry: &PutEventsEntry) -> Result<Checked, EntryError> {
    let source = required("Source", entry.source.as_ref())?;
    let detail_type = required("DetailType", entry.detail_type.as_ref())?;
    let detail = required("Detail", entry.detail.as_ref())?;
    if source.starts_with("aws.") {
        return Err(EntryError::new(
            "NotAuthorizedForSourceException",
            "Not authorized for the source.",
        ));
    }
    if MAXIMUM_DETAIL_TYPE < detail_type.chars().count() {
        return Err(EntryError::invalid("DetailType", "DetailType is too long."));
    }
    let malformed =
        |reason| EntryError::new("MalformedDetail", format!("Detail is malformed: {reason}"));
    let time = entry.time.as_ref().map(|time| {
        let invalid = || EntryError::invalid("Time", "it is not a time.");
        read_time(time).ok_or_else(invalid)
    });
    Ok(Checked {
        time: time.transpose()?,
        detail: detail::read(&detail).map_err(malformed)?,
        source,
        detail_type,
    })
}

/// The envelope has whole seconds, so the fraction may go.
#[expect(
    clippy::cast_possible_truncation,
    reason = "dropping the fraction is the purpose, and a time out of range is refused"
)]
fn read_time(seconds: &Number) -> Option<Timestamp> {
    Timestamp::from_second(seconds.as_f64()?.floor() as i64).ok()
}

fn required(name: &str, value: Option<&String>) -> Result<String, EntryError> {
    value
        .filter(|value| !value.is_empty())
        .cloned()
        .ok_or_else(|| EntryError::invalid(name, &format!("{name} is a required argument.")))
}
