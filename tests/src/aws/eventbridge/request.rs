//! What makes EventBridge refuse a whole call.

use serde::Deserialize;

use super::entry::PutEventsEntry;

/// At most so many entries in a call.
const MAXIMUM_ENTRIES: usize = 10;
/// At most so many bytes in a call, by EventBridge's own way of counting. Some regions take a quarter of it.
pub(crate) const MAXIMUM_BYTES: usize = 1024 * 1024;
/// At most so many characters in a trace header, and at least one.
const MAXIMUM_TRACE_HEADER: usize = 500;

/// A call refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallError {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutEvents {
    entries: Vec<PutEventsEntry>,
}

/// Reads a body. Fields that EventBridge does not have are refused too: they can only be mistakes.
pub(crate) fn read(body: &[u8]) -> Result<Vec<PutEventsEntry>, CallError> {
    serde_json::from_slice::<PutEvents>(body)
        .map(|request| request.entries)
        .map_err(|error| CallError {
            code: "SerializationException",
            message: error.to_string(),
        })
}

/// Checks the limits of a call, which may have so many bytes.
pub(crate) fn check(
    entries: Vec<PutEventsEntry>,
    maximum_bytes: usize,
) -> Result<Vec<PutEventsEntry>, CallError> {
    let invalid = |message: String| CallError {
        code: "ValidationException",
        message,
    };
    let unfit = |member: &str, constraint| {
        invalid(format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must have length {constraint}"
        ))
    };
    let constraint = |constraint| unfit("entries", constraint);
    let mut headers = entries
        .iter()
        .filter_map(|entry| entry.trace_header.as_ref());
    if headers.any(|header| !(1..=MAXIMUM_TRACE_HEADER).contains(&header.chars().count())) {
        let length = format!("between 1 and {MAXIMUM_TRACE_HEADER}");
        return Err(unfit("traceHeader", length));
    }
    let bytes: usize = entries.iter().map(PutEventsEntry::bytes).sum();
    match entries.len() {
        0 => Err(constraint("greater than or equal to 1".to_owned())),
        count if MAXIMUM_ENTRIES < count => Err(constraint(format!(
            "less than or equal to {MAXIMUM_ENTRIES}"
        ))),
        _ if maximum_bytes < bytes => Err(invalid(format!(
            "Total size of the entries in the request is over the limit: {bytes} bytes."
        ))),
        _ => Ok(entries),
    }
}
