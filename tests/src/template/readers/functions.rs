//! `AWS::Serverless::Function`, with the template's `Globals` under it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::mappings;
use super::retry_limits::retry_limits;
use super::secrets::Secrets;
use super::triggers::Triggers;
use crate::template::language::node::{Node, NodeKind};
use crate::template::language::resolver::Resolver;
use crate::template::language::resources::{self, Resource};
use crate::template::specs::function::{AsyncSpec, FunctionSpec, LoggingSpec};
use crate::template::specs::queue::QueueSpec;

/// What the readers below use, then what makes no difference here.
const PROPERTIES: [&str; 21] = [
    "CodeUri",
    "Environment",
    "EventInvokeConfig",
    "Events",
    "FunctionName",
    "LoggingConfig",
    "MemorySize",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "Role",
    "Timeout",
    "Architectures",
    "Description",
    "EphemeralStorage",
    "Handler",
    "KmsKeyArn",
    "PropagateTags",
    "RolePath",
    "Runtime",
    "Tags",
    "Tracing",
];

/// Lambda's own defaults.
const DEFAULT_TIMEOUT_SECONDS: u64 = 3;
const DEFAULT_MEMORY: u64 = 128;
const DEFAULT_ASYNC_RETRIES: u64 = 2;
const DEFAULT_ASYNC_AGE: Duration = Duration::from_hours(6);

pub(crate) fn read(
    resolver: &Resolver,
    secrets: &Secrets,
    queues: &[QueueSpec],
) -> Result<Vec<FunctionSpec>> {
    resources::of_type(resolver, "AWS::Serverless::Function")?
        .iter()
        .map(|resource| read_function(resolver, secrets, queues, resource))
        .collect()
}

fn read_function(
    resolver: &Resolver,
    secrets: &Secrets,
    queues: &[QueueSpec],
    resource: &Resource,
) -> Result<FunctionSpec> {
    let globals = resolver
        .root
        .get("Globals")
        .and_then(|all| all.get("Function"));
    let own = resource.properties();
    let merged = globals.map_or_else(|| own.clone(), |globals| globals.overlaid(&own));
    merged.only(&PROPERTIES)?;
    let property = |key: &str| -> Result<Option<Node>> {
        let value = merged.get(key).map(|node| resolver.resolve(node));
        let value = value.transpose()?;
        Ok(value.filter(|node| node.kind != NodeKind::Absent))
    };
    let number = |key: &str| property(key)?.as_ref().map(Node::number).transpose();
    let package = read_package(resource, property("CodeUri")?)?;
    let timeout = number("Timeout")?.unwrap_or(DEFAULT_TIMEOUT_SECONDS);
    let timeout = Duration::from_secs(timeout);
    let events = property("Events")?;
    let triggers = Triggers::read(resolver, resource.name, events.as_ref())?;
    let mappings = mappings::read(events.as_ref(), queues, timeout)?;
    Ok(FunctionSpec {
        logical_id: resource.name.to_owned(),
        name: resolver.resource_reference(resource.line, resource.name)?,
        arn: resolver.resource_attribute(resource.line, resource.name, "Arn")?,
        binary: read_binary(resource, &package)?,
        package,
        role: read_role(resolver, property("Role")?.as_ref())?,
        environment: read_environment(secrets, property("Environment")?.as_ref())?,
        timeout,
        memory: number("MemorySize")?.unwrap_or(DEFAULT_MEMORY),
        allows_loops: allows_loops(property("RecursiveLoop")?.as_ref())?,
        concurrency: number("ReservedConcurrentExecutions")?,
        logging: read_logging(property("LoggingConfig")?.as_ref())?,
        asynchronous: read_asynchronous(property("EventInvokeConfig")?.as_ref())?,
        routes: triggers.routes,
        schedules: triggers.schedules,
        mappings,
    })
}

fn allows_loops(recursive_loop: Option<&Node>) -> Result<bool> {
    let Some(node) = recursive_loop else {
        return Ok(false);
    };
    match node.text()?.as_str() {
        "Allow" => Ok(true),
        "Terminate" => Ok(false),
        _ => Err(node.error("expected Allow or Terminate")),
    }
}

/// The package is the directory that `CodeUri` names.
fn read_package(resource: &Resource, code_uri: Option<Node>) -> Result<String> {
    let Some(code_uri) = code_uri else {
        bail!(resource.body.error("CodeUri is missing"));
    };
    let text = code_uri.text()?;
    let directory = Path::new(&text).file_name().and_then(|name| name.to_str());
    directory.map(str::to_owned).ok_or_else(|| {
        code_uri.error(format_args!(
            "expected a package directory, but found {text:?}"
        ))
    })
}

/// A role of somebody else's allows what nobody here can know.
fn read_role(resolver: &Resolver, role: Option<&Node>) -> Result<Option<String>> {
    let Some(role) = role else {
        return Ok(None);
    };
    let arn = role.text()?;
    for resource in resources::of_type(resolver, "AWS::IAM::Role")? {
        if resolver.resource_attribute(resource.line, resource.name, "Arn")? == arn {
            return Ok(Some(arn));
        }
    }
    Err(role.error(format_args!("no role of the template has the ARN {arn}")))
}

/// How SAM builds the function, which is also how the stack finds its binary.
fn read_binary(resource: &Resource, package: &str) -> Result<String> {
    let metadata = resource.body.require("Metadata")?;
    let method = metadata.require("BuildMethod")?;
    ensure!(
        method.text()? == "rust-cargolambda",
        method.error("the local stack only runs functions built by rust-cargolambda")
    );
    let binary = metadata
        .get("BuildProperties")
        .and_then(|properties| properties.get("Binary"));
    binary.map_or_else(|| Ok(package.to_owned()), Node::text)
}

fn read_environment(
    secrets: &Secrets,
    environment: Option<&Node>,
) -> Result<BTreeMap<String, String>> {
    let Some(environment) = environment else {
        return Ok(BTreeMap::new());
    };
    environment.only(&["Variables"])?;
    let mut variables = BTreeMap::new();
    for entry in environment.require("Variables")?.entries()? {
        let value = secrets.expand(entry.line, &entry.value.text()?)?;
        variables.insert(entry.key.clone(), value);
    }
    Ok(variables)
}

fn read_logging(config: Option<&Node>) -> Result<LoggingSpec> {
    let Some(config) = config else {
        return Ok(LoggingSpec::default());
    };
    config.only(&[
        "LogFormat",
        "ApplicationLogLevel",
        "SystemLogLevel",
        "LogGroup",
    ])?;
    let text = |key| config.get(key).map(Node::text).transpose();
    Ok(LoggingSpec {
        format: text("LogFormat")?,
        application_level: text("ApplicationLogLevel")?,
    })
}

fn read_asynchronous(config: Option<&Node>) -> Result<AsyncSpec> {
    let (maximum_retries, maximum_age) =
        retry_limits(config, DEFAULT_ASYNC_RETRIES, DEFAULT_ASYNC_AGE)?;
    if let Some(config) = config {
        config.only(&[
            "MaximumRetryAttempts",
            "MaximumEventAgeInSeconds",
            "DestinationConfig",
        ])?;
    }
    let destinations = config.and_then(|config| config.get("DestinationConfig"));
    let on_failure = destinations.map(read_destination).transpose()?;
    Ok(AsyncSpec {
        maximum_retries,
        maximum_age,
        on_failure,
    })
}

fn read_destination(destinations: &Node) -> Result<String> {
    destinations.only(&["OnFailure"])?;
    let on_failure = destinations.require("OnFailure")?;
    on_failure.only(&["Type", "Destination"])?;
    on_failure.require("Destination")?.text()
}
