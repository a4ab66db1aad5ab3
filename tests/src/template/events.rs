//! Buses, rules and queues.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::node::Node;
use super::resolve::Resolver;
use super::resources::{self, Resource};
use super::{BusSpec, QueueSpec, RuleSpec, TargetSpec, retry_limits};

/// EventBridge's own defaults for a target.
const DEFAULT_RETRIES: u64 = 185;
const DEFAULT_AGE: Duration = Duration::from_hours(24);

pub(super) fn read_buses(resolver: &Resolver) -> Result<Vec<BusSpec>> {
    resources::of_type(resolver, "AWS::Events::EventBus")?
        .iter()
        .map(|resource| {
            let name = resources::reference(resolver, resource.line, resource.name)?;
            Ok(BusSpec {
                logical_id: resource.name.to_owned(),
                name,
            })
        })
        .collect()
}

/// The enabled rules.
pub(super) fn read_rules(resolver: &Resolver) -> Result<Vec<RuleSpec>> {
    let permissions = read_permissions(resolver)?;
    let mut rules = Vec::new();
    for resource in resources::of_type(resolver, "AWS::Events::Rule")? {
        let properties = resolver.resolve(&resource.properties())?;
        let state = properties.get("State").map(Node::text).transpose()?;
        if state.as_deref() != Some("DISABLED") {
            let rule = read_rule(resolver, &resource, &properties)?;
            check_permissions(&rule, properties.require("Targets")?, &permissions)?;
            rules.push(rule);
        }
    }
    Ok(rules)
}

/// The functions that each rule may invoke: pairs of the function, by name or ARN, and the rule's ARN.
fn read_permissions(resolver: &Resolver) -> Result<Vec<(String, String)>> {
    let mut permissions = Vec::new();
    for resource in resources::of_type(resolver, "AWS::Lambda::Permission")? {
        let properties = resolver.resolve(&resource.properties())?;
        let text = |key| properties.get(key).map(Node::text).transpose();
        if text("Principal")?.as_deref() == Some("events.amazonaws.com")
            && let (Some(function), Some(rule)) = (text("FunctionName")?, text("SourceArn")?)
        {
            permissions.push((function, rule));
        }
    }
    Ok(permissions)
}

/// AWS would drop the events of a rule that may not invoke its function.
fn check_permissions(
    rule: &RuleSpec,
    targets: &Node,
    permissions: &[(String, String)],
) -> Result<()> {
    for (target, node) in rule.targets.iter().zip(targets.items()?) {
        let function = target.arn.split_once(":function:");
        let permitted = function.is_none_or(|(_, name)| {
            let fits = |(to, from): &(String, String)| {
                (*to == target.arn || to == name) && *from == rule.arn
            };
            permissions.iter().any(fits)
        });
        ensure!(
            permitted,
            node.error("no AWS::Lambda::Permission lets this rule invoke its target")
        );
    }
    Ok(())
}

fn read_rule(resolver: &Resolver, resource: &Resource, properties: &Node) -> Result<RuleSpec> {
    properties.only(&[
        "Description",
        "EventBusName",
        "EventPattern",
        "Name",
        "State",
        "Tags",
        "Targets",
    ])?;
    let bus = properties.require("EventBusName")?.text()?;
    let targets = properties.require("Targets")?.items()?;
    Ok(RuleSpec {
        logical_id: resource.name.to_owned(),
        arn: resources::attribute(resolver, resource.line, resource.name, "Arn")?,
        bus: bus_name(&bus).to_owned(),
        pattern: properties.require("EventPattern")?.to_json(),
        targets: targets.iter().map(read_target).collect::<Result<_>>()?,
    })
}

/// A bus may be given by name or ARN.
pub(crate) fn bus_name(name_or_arn: &str) -> &str {
    match name_or_arn.split_once(":event-bus/") {
        Some((_, name)) => name,
        None => name_or_arn,
    }
}

fn read_target(target: &Node) -> Result<TargetSpec> {
    target.only(&[
        "Arn",
        "DeadLetterConfig",
        "Id",
        "Input",
        "RetryPolicy",
        "RoleArn",
    ])?;
    let arn = target.require("Arn")?;
    ensure!(
        arn.text()?.starts_with("arn:"),
        arn.error("expected an ARN")
    );
    let (maximum_retries, maximum_age) =
        retry_limits(target.get("RetryPolicy"), DEFAULT_RETRIES, DEFAULT_AGE)?;
    let dead_letters = target.get("DeadLetterConfig");
    let dead_letters = dead_letters
        .map(|config| config.require("Arn"))
        .transpose()?;
    Ok(TargetSpec {
        id: target.require("Id")?.text()?,
        arn: arn.text()?,
        maximum_retries,
        maximum_age,
        dead_letters: dead_letters.map(Node::text).transpose()?,
        input: target.get("Input").map(Node::text).transpose()?,
    })
}

pub(super) fn read_queues(resolver: &Resolver) -> Result<Vec<QueueSpec>> {
    resources::of_type(resolver, "AWS::SQS::Queue")?
        .iter()
        .map(|resource| {
            let attribute =
                |name| resources::attribute(resolver, resource.line, resource.name, name);
            Ok(QueueSpec {
                logical_id: resource.name.to_owned(),
                name: attribute("QueueName")?,
                url: attribute("QueueUrl")?,
                arn: attribute("Arn")?,
                attributes: resolver.resolve(&resource.properties())?.to_json(),
            })
        })
        .collect()
}
