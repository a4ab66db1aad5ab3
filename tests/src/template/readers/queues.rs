//! `AWS::SQS::Queue`.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::template::language::node::Node;
use crate::template::language::resolver::Resolver;
use crate::template::language::resources::{self, Resource};
use crate::template::specs::queue::{QueueSpec, RedriveSpec};

/// What the reader below uses, then what makes no difference here. Queues of the kind that keeps an order are unknown.
const PROPERTIES: [&str; 11] = [
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "QueueName",
    "ReceiveMessageWaitTimeSeconds",
    "RedrivePolicy",
    "VisibilityTimeout",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "SqsManagedSseEnabled",
    "Tags",
];

pub(crate) fn read(resolver: &Resolver) -> Result<Vec<QueueSpec>> {
    let resources = resources::of_type(resolver, "AWS::SQS::Queue")?;
    let queues: Result<Vec<_>> = resources
        .iter()
        .map(|resource| read_queue(resolver, resource))
        .collect();
    let queues = queues?;
    for (resource, queue) in resources.iter().zip(&queues) {
        let redrive = queue.redrive.as_ref();
        let is_known = |redrive: &RedriveSpec| {
            let mut queues = queues.iter();
            queues.any(|other| other.arn == redrive.dead_letters)
        };
        ensure!(
            redrive.is_none_or(is_known),
            resource
                .body
                .error("the dead-letter queue is not in the template")
        );
    }
    Ok(queues)
}

fn read_queue(resolver: &Resolver, resource: &Resource) -> Result<QueueSpec> {
    let properties = resolver.resolve(&resource.properties())?;
    properties.only(&PROPERTIES)?;
    let attribute = |name| resolver.resource_attribute(resource.line, resource.name, name);
    let number = |name, default, range| number(&properties, name, default, &range);
    let seconds = |name, default, range| number(name, default, range).map(Duration::from_secs);
    Ok(QueueSpec {
        logical_id: resource.name.to_owned(),
        name: attribute("QueueName")?,
        url: attribute("QueueUrl")?,
        arn: attribute("Arn")?,
        visibility_timeout: seconds("VisibilityTimeout", 30, 0..=43_200)?,
        delay: seconds("DelaySeconds", 0, 0..=900)?,
        receive_wait: seconds("ReceiveMessageWaitTimeSeconds", 0, 0..=20)?,
        retention: seconds("MessageRetentionPeriod", 345_600, 60..=1_209_600)?,
        maximum_bytes: usize::try_from(number(
            "MaximumMessageSize",
            1024 * 1024,
            1024..=1024 * 1024,
        )?)?,
        redrive: properties
            .get("RedrivePolicy")
            .map(read_redrive)
            .transpose()?,
    })
}

fn read_redrive(policy: &Node) -> Result<RedriveSpec> {
    policy.only(&["deadLetterTargetArn", "maxReceiveCount"])?;
    let queue = policy.require("deadLetterTargetArn")?;
    ensure!(
        queue.text()?.starts_with("arn:"),
        queue.error("expected an ARN")
    );
    policy.require("maxReceiveCount")?;
    Ok(RedriveSpec {
        dead_letters: queue.text()?,
        maximum_receives: number(policy, "maxReceiveCount", 1, &(1..=1_000))?,
    })
}

/// A number within the limits of AWS.
pub(crate) fn number(
    properties: &Node,
    name: &str,
    default: u64,
    range: &RangeInclusive<u64>,
) -> Result<u64> {
    let Some(node) = properties.get(name) else {
        return Ok(default);
    };
    let number = node.number()?;
    let (least, most) = (range.start(), range.end());
    ensure!(
        range.contains(&number),
        node.error(format_args!(
            "expected {name} from {least} to {most}, but found {number}"
        ))
    );
    Ok(number)
}
