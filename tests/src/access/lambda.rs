//! What Lambda does in a function's name, and asks for when it is told to.

use anyhow::{Result, ensure};

use super::{Access, Need, key_id};
use crate::template::FunctionSpec;

/// For each queue that feeds a function.
const RECEIVES: [&str; 3] = [
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
];

/// For the queue that gets what an asynchronous invocation failed on.
const SENDS: &str = "sqs:SendMessage";

/// Refuses a function whose role does not let Lambda do its part, as Lambda does. A role of SAM's own has what this takes.
pub(super) fn check(access: &Access, function: &FunctionSpec) -> Result<()> {
    let caller = access.callers.get(&key_id(&function.logical_id));
    let Some(role) = caller.and_then(|caller| caller.role.as_ref()) else {
        return Ok(());
    };
    for need in needs(function) {
        ensure!(
            role.statement(&need.action, &need.resource).is_some(),
            "no statement of {} allows {} on {}, which Lambda does for {}",
            role.logical_id,
            need.action,
            access.name(&need.resource),
            function.logical_id
        );
    }
    Ok(())
}

fn needs(function: &FunctionSpec) -> impl Iterator<Item = Need> {
    let mappings = function.mappings.iter();
    let received = mappings
        .flat_map(|mapping| RECEIVES.map(|action| Need::new(action, mapping.queue.clone())));
    let sent = function.asynchronous.on_failure.iter();
    received.chain(sent.map(|queue| Need::new(SENDS, queue.clone())))
}
