//! Resource types: which the local stack stands in for, which have no effect here, and what `!Ref` and `!GetAtt` give.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};

use super::node::{Node, NodeKind, Pair};
use super::resolver::Resolver;
use crate::plumbing::ids::{ACCOUNT, REGION};
use crate::template::specs::bus::bus_name;

/// What the stack runs. Each has a reader in this module's siblings.
const LOCAL_TYPES: [&str; 9] = [
    "AWS::DynamoDB::Table",
    "AWS::Events::Archive",
    "AWS::Events::EventBus",
    "AWS::Events::Rule",
    "AWS::IAM::Role",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
    "AWS::Serverless::Function",
    "AWS::Serverless::HttpApi",
];

/// What is deployed but changes nothing that runs locally.
const NO_EFFECT_TYPES: [&str; 16] = [
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::EventSchemas::Registry",
    "AWS::EventSchemas::Schema",
    "AWS::Events::EventBusPolicy",
    "AWS::KMS::Alias",
    "AWS::KMS::Key",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
    "AWS::Logs::ResourcePolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
];

/// A resource that the conditions let in.
pub(crate) struct Resource<'t> {
    pub(crate) name: &'t str,
    pub(crate) line: usize,
    pub(crate) body: &'t Node,
}

impl Resource<'_> {
    /// The unresolved properties; none is an empty mapping.
    pub(crate) fn properties(&self) -> Node {
        let empty = || Node::new(self.line, NodeKind::Map(Vec::new()));
        self.body.get("Properties").cloned().unwrap_or_else(empty)
    }
}

/// The resources of one type, in the template's order.
pub(crate) fn of_type<'t>(resolver: &'t Resolver, kind: &str) -> Result<Vec<Resource<'t>>> {
    let mut found = Vec::new();
    for entry in resolver.root.require("Resources")?.entries()? {
        if entry.value.require("Type")?.text()? == kind && included(resolver, entry)? {
            found.push(Resource {
                name: &entry.key,
                line: entry.line,
                body: &entry.value,
            });
        }
    }
    Ok(found)
}

/// Refuses a template with a resource type that the stack neither runs nor knows to be without effect.
pub(crate) fn check_types(resolver: &Resolver) -> Result<()> {
    for entry in resolver.root.require("Resources")?.entries()? {
        let kind = entry.value.require("Type")?;
        let name = kind.text()?;
        ensure!(
            LOCAL_TYPES.contains(&name.as_str()) || NO_EFFECT_TYPES.contains(&name.as_str()),
            kind.error(format_args!(
                "the local stack does not know the resource type {name}"
            ))
        );
    }
    Ok(())
}

/// The types of the resources that the conditions let in, by key.
pub(crate) fn included_types(resolver: &Resolver) -> Result<BTreeMap<String, String>> {
    let mut types = BTreeMap::new();
    for entry in resolver.root.require("Resources")?.entries()? {
        if included(resolver, entry)? {
            types.insert(entry.key.clone(), entry.value.require("Type")?.text()?);
        }
    }
    Ok(types)
}

/// The keys of the resources that functions call, by ARN.
pub(crate) fn logical_ids(resolver: &Resolver) -> Result<BTreeMap<String, String>> {
    let mut logical_ids = BTreeMap::new();
    for kind in [
        "AWS::DynamoDB::Table",
        "AWS::Events::EventBus",
        "AWS::SQS::Queue",
    ] {
        for resource in of_type(resolver, kind)? {
            let arn = resolver.resource_attribute(resource.line, resource.name, "Arn")?;
            logical_ids.insert(arn, resource.name.to_owned());
        }
    }
    Ok(logical_ids)
}

fn included(resolver: &Resolver, entry: &Pair) -> Result<bool> {
    match entry.value.get("Condition") {
        Some(condition) => resolver.holds(condition.line, &condition.text()?),
        None => Ok(true),
    }
}

impl Resolver {
    /// What `!Ref name` gives.
    pub(crate) fn resource_reference(&self, line: usize, name: &str) -> Result<String> {
        let (kind, resource) = find(self, line, name)?;
        match kind.as_str() {
            "AWS::SQS::Queue" => {
                let queue = physical_name(self, name, &kind, resource)?;
                Ok(format!(
                    "https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{queue}"
                ))
            }
            "AWS::SecretsManager::Secret" | "AWS::SNS::Topic" => arn(self, name, &kind, resource),
            _ => physical_name(self, name, &kind, resource),
        }
    }

    /// What `!GetAtt name.attribute` gives.
    pub(crate) fn resource_attribute(
        &self,
        line: usize,
        name: &str,
        attribute: &str,
    ) -> Result<String> {
        let (kind, resource) = find(self, line, name)?;
        match (kind.as_str(), attribute) {
            ("AWS::Serverless::HttpApi", "ApiEndpoint") => {
                let api = physical_name(self, name, &kind, resource)?;
                Ok(format!("https://{api}.execute-api.{REGION}.amazonaws.com"))
            }
            ("AWS::SQS::Queue", "QueueName") | ("AWS::Events::EventBus", "Name") => {
                physical_name(self, name, &kind, resource)
            }
            ("AWS::SQS::Queue", "QueueUrl") => self.resource_reference(line, name),
            ("AWS::Serverless::HttpApi", _) => {
                bail!("line {line}: {kind} has no attribute {attribute}")
            }
            ("AWS::SecretsManager::Secret", "Id") | (_, "Arn") => arn(self, name, &kind, resource),
            _ => bail!("line {line}: {kind} has no attribute {attribute}"),
        }
    }
}

fn find<'t>(resolver: &'t Resolver, line: usize, name: &str) -> Result<(String, &'t Node)> {
    let resources = resolver.root.require("Resources")?.entries()?;
    let Some(entry) = resources.iter().find(|entry| entry.key == name) else {
        bail!("line {line}: no parameter or resource is called {name}");
    };
    if !included(resolver, entry)? {
        let condition = entry.value.require("Condition")?.text()?;
        bail!("line {line}: {name} is left out by its condition {condition}");
    }
    Ok((entry.value.require("Type")?.text()?, &entry.value))
}

/// The name given in the template, else one made from the stack's name, as CloudFormation does.
fn physical_name(resolver: &Resolver, name: &str, kind: &str, resource: &Node) -> Result<String> {
    let property = match kind {
        "AWS::DynamoDB::Table" => "TableName",
        "AWS::Events::Archive" => "ArchiveName",
        "AWS::IAM::Role" => "RoleName",
        "AWS::KMS::Alias" => "AliasName",
        "AWS::Lambda::Permission" | "AWS::KMS::Key" | "AWS::Serverless::HttpApi" => "",
        "AWS::Logs::LogGroup" => "LogGroupName",
        "AWS::SNS::Topic" => "TopicName",
        "AWS::SQS::Queue" => "QueueName",
        "AWS::Serverless::Function" => "FunctionName",
        _ => "Name",
    };
    let given = resource.get("Properties").and_then(|all| all.get(property));
    match given {
        Some(given) => resolver.guarded(given.line, name, || resolver.text(given)),
        None => Ok(format!("{}-{name}", resolver.stack_name)),
    }
}

fn arn(resolver: &Resolver, name: &str, kind: &str, resource: &Node) -> Result<String> {
    let physical = physical_name(resolver, name, kind, resource)?;
    let tail = match kind {
        "AWS::DynamoDB::Table" => format!("dynamodb:{REGION}:{ACCOUNT}:table/{physical}"),
        "AWS::Events::Archive" => format!("events:{REGION}:{ACCOUNT}:archive/{physical}"),
        "AWS::Events::EventBus" => format!("events:{REGION}:{ACCOUNT}:event-bus/{physical}"),
        "AWS::Events::Rule" => {
            let bus = resource
                .get("Properties")
                .and_then(|all| all.get("EventBusName"));
            let bus = bus.map(|bus| resolver.text(bus)).transpose()?;
            let path = bus.map_or_else(String::new, |bus| format!("{}/", bus_name(&bus)));
            format!("events:{REGION}:{ACCOUNT}:rule/{path}{physical}")
        }
        "AWS::IAM::Role" => format!("iam::{ACCOUNT}:role/{physical}"),
        "AWS::KMS::Key" => format!("kms:{REGION}:{ACCOUNT}:key/{physical}"),
        "AWS::Logs::LogGroup" => format!("logs:{REGION}:{ACCOUNT}:log-group:{physical}:*"),
        "AWS::SNS::Topic" => format!("sns:{REGION}:{ACCOUNT}:{physical}"),
        "AWS::SQS::Queue" => format!("sqs:{REGION}:{ACCOUNT}:{physical}"),
        "AWS::SecretsManager::Secret" => {
            format!("secretsmanager:{REGION}:{ACCOUNT}:secret:{physical}-000000")
        }
        "AWS::Serverless::Function" => format!("lambda:{REGION}:{ACCOUNT}:function:{physical}"),
        _ => bail!(resource.error(format_args!("the local stack knows no ARN of {kind}"))),
    };
    Ok(format!("arn:aws:{tail}"))
}
