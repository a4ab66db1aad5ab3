//! Buses and rules.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use shared::json;

use super::permissions::Permissions;
use super::retry_limits::retry_limits;
use crate::template::language::node::{Node, NodeKind};
use crate::template::language::resolver::Resolver;
use crate::template::language::resources::{self, Resource};
use crate::template::specs::bus::{BusSpec, RuleSpec, TargetSpec, bus_name};

/// EventBridge's own defaults for a target.
const DEFAULT_RETRIES: u64 = 185;
const DEFAULT_AGE: Duration = Duration::from_hours(24);

pub(crate) fn read_buses(resolver: &Resolver) -> Result<Vec<BusSpec>> {
    resources::of_type(resolver, "AWS::Events::EventBus")?
        .iter()
        .map(|resource| {
            let name = resolver.resource_reference(resource.line, resource.name)?;
            Ok(BusSpec {
                logical_id: resource.name.to_owned(),
                name,
            })
        })
        .collect()
}

/// The enabled rules.
pub(crate) fn read_rules(resolver: &Resolver) -> Result<Vec<RuleSpec>> {
    let permissions = Permissions::read(resolver)?;
    let mut rules = Vec::new();
    for resource in resources::of_type(resolver, "AWS::Events::Rule")? {
        let properties = resolver.resolve(&resource.properties())?;
        let state = properties.get("State").map(Node::text).transpose()?;
        if state.as_deref() != Some("DISABLED") {
            let rule = read_rule(resolver, &resource, &properties)?;
            permissions.check(&rule, properties.require("Targets")?)?;
            rules.push(rule);
        }
    }
    Ok(rules)
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
        arn: resolver.resource_attribute(resource.line, resource.name, "Arn")?,
        bus: bus_name(&bus).to_owned(),
        pattern: read_pattern(properties.require("EventPattern")?)?,
        targets: targets.iter().map(read_target).collect::<Result<_>>()?,
    })
}

/// A mapping, or the text of one in JSON.
fn read_pattern(pattern: &Node) -> Result<Value> {
    let json = match &pattern.kind {
        NodeKind::Text(text) => json::tree(text).map_err(|error| pattern.error(error))?,
        _ => pattern.to_json(),
    };
    ensure!(json.is_object(), pattern.error("expected a mapping"));
    Ok(json)
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
