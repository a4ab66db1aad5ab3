//! What Lambda does in a function's name, and asks for when it is told to.

use super::need::Need;
use crate::template::specs::function::FunctionSpec;

/// For each queue that feeds a function.
const RECEIVES: [&str; 3] = [
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
];

/// For the queue that gets what an asynchronous invocation failed on.
const SENDS: &str = "sqs:SendMessage";

/// What the role of a function must allow for Lambda to do its part.
pub(crate) fn needs(function: &FunctionSpec) -> impl Iterator<Item = Need> {
    let mappings = function.mappings.iter();
    let received = mappings
        .flat_map(|mapping| RECEIVES.map(|action| Need::new(action, mapping.queue.clone())));
    let sent = function.asynchronous.on_failure.iter();
    received.chain(sent.map(|queue| Need::new(SENDS, queue.clone())))
}
