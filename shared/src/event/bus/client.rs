//! The bus, as a call of `PutEvents` reaches it.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::retry::RetryConfig;
use aws_sdk_eventbridge::error::SdkError;
use aws_sdk_eventbridge::operation::put_events::{PutEventsError, PutEventsOutput};
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use crate::event::entry::PutEventsEntry;

/// What `PutEvents` takes as a trace header, in characters. Source: the API reference of `PutEventsRequestEntry`.
const MAX_TRACE_HEADER: usize = 500;

/// A bus and how it is called.
#[derive(Debug, Clone)]
pub(super) struct BusClient {
    client: Client,
    name: String,
    trace_header: Option<String>,
}

impl BusClient {
    pub(super) fn new(config: &aws_types::SdkConfig, name: String) -> Self {
        // Retries are ours: the SDK's would repeat a call but not the failed entries of one.
        let config = aws_sdk_eventbridge::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .build();
        Self {
            client: Client::from_conf(config),
            name,
            trace_header: None,
        }
    }

    pub(super) fn traced(&self, header: Option<&str>) -> Self {
        let header = header.filter(|header| (1..=MAX_TRACE_HEADER).contains(&header.len()));
        Self {
            trace_header: header.map(str::to_owned),
            ..self.clone()
        }
    }

    /// One call, with these entries.
    pub(super) async fn put<'a>(
        &self,
        entries: impl Iterator<Item = &'a PutEventsEntry>,
    ) -> Result<PutEventsOutput, SdkError<PutEventsError>> {
        let entries = entries.map(|entry| self.request_entry(entry)).collect();
        let request = self.client.put_events().set_entries(Some(entries));
        request.send().await
    }

    fn request_entry(&self, entry: &PutEventsEntry) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(entry.source)
            .detail_type(&entry.detail_type)
            .time(to_aws(entry.time))
            .detail(&entry.detail)
            .set_trace_header(self.trace_header.clone())
            .build()
    }
}

fn to_aws(time: jiff::Timestamp) -> DateTime {
    DateTime::from_millis(time.as_millisecond())
}
