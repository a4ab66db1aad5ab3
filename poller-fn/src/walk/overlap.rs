//! How far back a resource is read again.

use std::time::Duration;

use shared::polling::resource::{Resource, Source};

/// Close's search shows a change late: a row is stamped before it is committed and indexed after.
const SEARCH_OVERLAP: Duration = Duration::from_mins(10);
/// Close itself recommends to read the last five minutes of its event log again.
const LOG_OVERLAP: Duration = Duration::from_mins(5);

/// How long before its watermark a resource is read again: as late as a change of it may show itself.
pub fn overlap(resource: &Resource) -> Duration {
    let overlap = match resource.source {
        Source::EventLog => LOG_OVERLAP,
        _ => SEARCH_OVERLAP,
    };
    overlap + resource.poll_delay
}

#[cfg(test)]
mod tests {
    use shared::polling::poller_configuration::parse;

    use super::overlap;

    #[test]
    fn the_overlap_is_that_of_the_source_and_longer_by_the_delay() {
        let overlap = |members: &str| {
            let json = format!(r#"{{"leads": {{"url": "/hubs/crm/leads"{members}}}}}"#);
            overlap(&parse(&json).unwrap()[0]).as_secs()
        };
        assert_eq!(overlap(""), 600);
        assert_eq!(overlap(r#", "source": "event-log""#), 300);
        assert_eq!(overlap(r#", "pollDelay": 60"#), 660);
    }
}
