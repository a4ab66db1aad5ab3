//! Batches: up to ten entries, each with a result of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::operations;
use super::request::Members;
use crate::aws::sqs::queue::Queue;
use crate::aws::sqs::queue::rejection::{Rejection, RejectionKind};

const MAXIMUM_ENTRIES: usize = 10;
const MAXIMUM_ID: usize = 80;
/// All messages of a batch together.
const MAXIMUM_BYTES: usize = 1024 * 1024;

/// Does `work` for each entry, but for those that a test wants refused, by position and code.
pub(crate) fn run(
    queue: &Queue,
    members: Members,
    refused: &BTreeMap<usize, String>,
    work: impl Fn(&Queue, Members) -> Result<Value, Rejection>,
) -> Result<Value, Rejection> {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (position, (id, members)) in read(members)?.into_iter().enumerate() {
        if let Some(code) = refused.get(&position) {
            let message = "A refusal that a test asked for.";
            failed.push(json!({"Id": id, "SenderFault": false, "Code": code, "Message": message}));
            continue;
        }
        match work(queue, members) {
            Ok(mut answer) => {
                answer["Id"] = id.into();
                successful.push(answer);
            }
            Err(Rejection { kind, message }) => failed.push(
                json!({"Id": id, "SenderFault": true, "Code": kind.code(), "Message": message}),
            ),
        }
    }
    Ok(json!({"Successful": successful, "Failed": failed}))
}

/// Refuses a batch of messages that are too large together.
pub(crate) fn check_size(members: &Members) -> Result<(), Rejection> {
    let entries = members.get("Entries").and_then(Value::as_array);
    let entries = entries.into_iter().flatten();
    let bytes: usize = entries.map(operations::message_bytes).sum();
    if bytes <= MAXIMUM_BYTES {
        return Ok(());
    }
    let message = format!(
        "Batch requests cannot be longer than {MAXIMUM_BYTES} bytes. You have sent {bytes} bytes."
    );
    Err(Rejection::new(RejectionKind::BatchRequestTooLong, message))
}

/// The entries with their ids.
fn read(mut members: Members) -> Result<Vec<(String, Members)>, Rejection> {
    let Some(Value::Array(entries)) = members.remove("Entries") else {
        return Err(Rejection::missing("Entries"));
    };
    if let Some(name) = members.keys().next() {
        let message = format!("unknown member {name}");
        return Err(Rejection::new(RejectionKind::MalformedInput, message));
    }
    check_count(entries.len())?;
    let entries: Result<Vec<_>, _> = entries.into_iter().map(read_entry).collect();
    let entries = entries?;
    let ids: BTreeSet<_> = entries.iter().map(|(id, _)| id).collect();
    if ids.len() < entries.len() {
        let message = "Two or more batch entries in the request have the same Id.";
        return Err(Rejection::new(
            RejectionKind::BatchEntryIdsNotDistinct,
            message,
        ));
    }
    Ok(entries)
}

fn check_count(count: usize) -> Result<(), Rejection> {
    let (kind, message) = match count {
        1..=MAXIMUM_ENTRIES => return Ok(()),
        0 => (
            RejectionKind::EmptyBatchRequest,
            "The batch request doesn't contain any entries.".to_owned(),
        ),
        _ => (
            RejectionKind::TooManyEntriesInBatchRequest,
            format!(
                "Maximum number of entries per request are {MAXIMUM_ENTRIES}. You have sent {count}."
            ),
        ),
    };
    Err(Rejection::new(kind, message))
}

fn read_entry(entry: Value) -> Result<(String, Members), Rejection> {
    let Value::Object(mut members) = entry else {
        return Err(Rejection::missing("Id"));
    };
    let Some(Value::String(id)) = members.remove("Id") else {
        return Err(Rejection::missing("Id"));
    };
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if !(1..=MAXIMUM_ID).contains(&id.len()) || !id.bytes().all(is_known) {
        let message = format!(
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most {MAXIMUM_ID} letters long."
        );
        return Err(Rejection::new(RejectionKind::InvalidBatchEntryId, message));
    }
    Ok((id, members))
}
