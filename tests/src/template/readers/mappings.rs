//! The `Events` of a function that are queues.

use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::queues::number;
use crate::template::language::node::{Node, Pair};
use crate::template::specs::function::MappingSpec;
use crate::template::specs::queue::QueueSpec;

/// The type of these events.
pub(crate) const QUEUE_EVENT: &str = "SQS";

/// Without a window, as many as one receiver can get.
const MAXIMUM_BATCH_AT_ONCE: u64 = 10;

pub(crate) fn read(
    events: Option<&Node>,
    queues: &[QueueSpec],
    timeout: Duration,
) -> Result<Vec<MappingSpec>> {
    let mut mappings = Vec::new();
    for entry in events.map_or(Ok(&[][..]), Node::entries)? {
        if entry.value.require("Type")?.text()? == QUEUE_EVENT {
            mappings.extend(read_mapping(entry, queues, timeout)?);
        }
    }
    Ok(mappings)
}

/// `None` if the mapping is disabled.
fn read_mapping(
    entry: &Pair,
    queues: &[QueueSpec],
    timeout: Duration,
) -> Result<Option<MappingSpec>> {
    let properties = entry.value.require("Properties")?;
    properties.only(&[
        "BatchSize",
        "Enabled",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "Queue",
        "ScalingConfig",
    ])?;
    if !properties.get("Enabled").map_or(Ok(true), Node::boolean)? {
        return Ok(None);
    }
    let queue = properties.require("Queue")?;
    check_queue(queue, queues, timeout)?;
    let window = number(properties, "MaximumBatchingWindowInSeconds", 0, &(0..=300))?;
    let most = if window == 0 {
        MAXIMUM_BATCH_AT_ONCE
    } else {
        10_000
    };
    Ok(Some(MappingSpec {
        name: entry.key.clone(),
        queue: queue.text()?,
        batch_size: usize::try_from(number(properties, "BatchSize", 10, &(1..=most))?)?,
        batching_window: Duration::from_secs(window),
        reports_failures: read_response_types(properties.get("FunctionResponseTypes"))?,
        maximum_concurrency: read_concurrency(properties.get("ScalingConfig"))?,
    }))
}

/// Lambda refuses a queue that would give a message out again while the function still has it.
fn check_queue(node: &Node, queues: &[QueueSpec], timeout: Duration) -> Result<()> {
    let arn = node.text()?;
    let Some(queue) = queues.iter().find(|queue| queue.arn == arn) else {
        bail!(node.error(format_args!("expected the ARN of a queue, but found {arn}")));
    };
    ensure!(
        timeout <= queue.visibility_timeout,
        node.error("the queue's visibility timeout is less than the function's timeout")
    );
    Ok(())
}

fn read_response_types(types: Option<&Node>) -> Result<bool> {
    let Some(types) = types else {
        return Ok(false);
    };
    for node in types.items()? {
        let text = node.text()?;
        ensure!(
            text == "ReportBatchItemFailures",
            node.error(format_args!(
                "expected ReportBatchItemFailures, but found {text}"
            ))
        );
    }
    Ok(!types.items()?.is_empty())
}

fn read_concurrency(config: Option<&Node>) -> Result<Option<usize>> {
    let Some(config) = config else {
        return Ok(None);
    };
    config.only(&["MaximumConcurrency"])?;
    config.require("MaximumConcurrency")?;
    let most = number(config, "MaximumConcurrency", 2, &(2..=1_000))?;
    Ok(Some(usize::try_from(most)?))
}
