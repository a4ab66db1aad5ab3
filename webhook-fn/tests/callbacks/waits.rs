//! The table of those that wait for long.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;
use shared::instance::id::InstanceId;
use webhook_fn::callback::message::{Message, Retry};
use webhook_fn::callback::waits_table::{SHARDS, Waiting, WaitingPage};

use crate::trace::Trace;

/// The table, by its key.
#[derive(Default)]
pub(crate) struct Waits {
    rows: BTreeMap<(u64, Timestamp, String), (Waiting, Trace)>,
}

impl Waits {
    pub(crate) fn insert(
        &mut self,
        message: &Message,
        id: InstanceId,
        retry: &Retry,
        trace: Trace,
    ) {
        let shard = fastrand::u64(..SHARDS);
        let due = retry.due.as_millisecond();
        let item = json!({
            "shard": shard,
            "due": format!("{due:013}#{}", message.id),
            "instanceId": id,
            "body": message.body,
            "attempts": retry.attempts,
            "firstFailure": retry.first_failure.as_millisecond(),
            "reason": "-",
        });
        let waiting: Waiting = shared::json::read(&item.to_string()).expect("it is an item");
        let due = waiting.due().expect("it has a time");
        self.rows
            .insert((shard, due, message.id.clone()), (waiting, trace));
    }

    pub(crate) fn due(&self, shard: u64, until: Timestamp) -> WaitingPage {
        let rows = self
            .rows
            .iter()
            .filter(|((of, due, _), _)| *of == shard && *due < until);
        WaitingPage {
            waiting: rows.map(|(_, (waiting, _))| waiting.clone()).collect(),
            unreadable: Vec::new(),
            next: None,
        }
    }

    pub(crate) fn trace(&self, waiting: &Waiting) -> Option<Trace> {
        let mut rows = self.rows.values();
        rows.find_map(|(row, trace)| (row == waiting).then(|| trace.clone()))
    }

    pub(crate) fn remove(&mut self, waiting: &Waiting) {
        self.rows.retain(|_, (row, _)| row != waiting);
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.rows.keys().map(|(_, due, _)| *due).min()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
