//! An event as EventBridge delivers it.

use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::entry::{Checked, PutEventsEntry};
use crate::plumbing::clock;
use crate::plumbing::ids::{ACCOUNT, REGION, uuid};
use crate::template::specs::bus::bus_name;

/// The bus of entries that name none.
const DEFAULT_BUS: &str = "default";

/// The envelope, in EventBridge's own order, and the detail with its bytes unchanged.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    version: &'static str,
    /// The event's id, which EventBridge made.
    pub id: String,
    /// `DetailType` of the entry.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// `Source` of the entry.
    pub source: String,
    account: &'static str,
    /// `Time` of the entry, in whole seconds, else the time of the call.
    pub time: String,
    region: &'static str,
    /// `Resources` of the entry.
    pub resources: Vec<String>,
    /// `Detail` of the entry.
    pub detail: Box<RawValue>,
    /// The name of the replay that has brought it back from an archive.
    #[serde(rename = "replay-name", skip_serializing_if = "Option::is_none")]
    pub replay_name: Option<String>,
    /// The name of the bus; not part of the envelope.
    #[serde(skip)]
    pub bus: String,
    /// The X-Ray trace header; not part of the envelope.
    #[serde(skip)]
    pub trace: Option<String>,
}

impl Event {
    pub(crate) fn new(entry: &PutEventsEntry, checked: Checked) -> Self {
        let bus = entry.event_bus_name.as_deref().unwrap_or(DEFAULT_BUS);
        Self {
            version: "0",
            id: uuid(),
            detail_type: checked.detail_type,
            source: checked.source,
            account: ACCOUNT,
            time: clock::seconds(checked.time.unwrap_or_else(clock::now)),
            region: REGION,
            resources: entry.resources.clone(),
            detail: checked.detail,
            replay_name: None,
            bus: bus_name(bus).to_owned(),
            trace: entry.trace_header.clone(),
        }
    }

    /// The event as one line of JSON.
    ///
    /// # Errors
    /// Never in practice: every field can be written.
    pub fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    /// The detail as a value of some type.
    ///
    /// # Errors
    /// If the detail does not fit the type.
    pub fn parse_detail<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_str(self.detail.get())?)
    }
}
