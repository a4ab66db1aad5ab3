//! `template.yaml` as the local stack runs it.
//!
//! The text becomes a tree with line numbers (`node`), its intrinsics become values (`resolve`), and the resources
//! that have a local effect become the types below. Whatever the stack would have to guess about (an intrinsic, a
//! resource type, a property, an event source) is an error that names the line.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

mod archives;
mod conditions;
mod events;
mod functions;
mod mappings;
mod node;
mod parameters;
mod permissions;
mod queues;
mod resolve;
mod resources;
mod roles;
mod secrets;
mod tables;
mod triggers;

pub(crate) use events::bus_name;
use node::Node;
use parameters::Parameters;
use resolve::Resolver;
use secrets::Secrets;

/// What a caller decides about a stack.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The stack's name, from which everything unnamed is named.
    pub stack_name: String,
    /// Values of parameters; the others take their defaults.
    pub parameters: BTreeMap<String, String>,
    /// Values of secrets by logical id; the others are generated.
    pub secrets: BTreeMap<String, String>,
}

/// The resources of a template that the stack runs.
#[derive(Debug, Clone)]
pub struct Template {
    /// The Lambda functions.
    pub functions: Vec<FunctionSpec>,
    /// The DynamoDB tables.
    pub tables: Vec<TableSpec>,
    /// The event buses.
    pub buses: Vec<BusSpec>,
    /// The rules on those buses.
    pub rules: Vec<RuleSpec>,
    /// The archives of those buses.
    pub archives: Vec<ArchiveSpec>,
    /// The SQS queues.
    pub queues: Vec<QueueSpec>,
    /// The IAM roles.
    pub roles: Vec<RoleSpec>,
    /// All resources that the conditions let in, as key and type.
    pub resources: BTreeMap<String, String>,
    /// The keys of tables, buses and queues by ARN.
    pub logical_ids: BTreeMap<String, String>,
    secrets: Secrets,
}

/// A Lambda function and what invokes it.
#[derive(Debug, Clone)]
pub struct FunctionSpec {
    /// Its key in `Resources`.
    pub logical_id: String,
    /// The function's name.
    pub name: String,
    /// The function's ARN.
    pub arn: String,
    /// The Cargo package that `CodeUri` points at.
    pub package: String,
    /// The binary of that package.
    pub binary: String,
    /// The ARN of its role, if that is the template's.
    pub role: Option<String>,
    /// Its environment, dynamic references included.
    pub environment: BTreeMap<String, String>,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// Memory in MB.
    pub memory: u64,
    /// Whether Lambda leaves it alone where it sends to a queue that it reads.
    pub allows_loops: bool,
    /// At most this many invocations at once, if reserved.
    pub concurrency: Option<u64>,
    /// How its logs are written.
    pub logging: LoggingSpec,
    /// What happens to asynchronous invocations that fail.
    pub asynchronous: AsyncSpec,
    /// The HTTP routes that lead to it.
    pub routes: Vec<RouteSpec>,
    /// The schedules that invoke it.
    pub schedules: Vec<ScheduleSpec>,
    /// The queues that feed it.
    pub mappings: Vec<MappingSpec>,
}

/// An IAM role.
#[derive(Debug, Clone)]
pub struct RoleSpec {
    /// Its key in `Resources`.
    pub logical_id: String,
    /// The role's name.
    pub name: String,
    /// The role's ARN.
    pub arn: String,
    /// What it allows.
    pub statements: Vec<StatementSpec>,
}

/// One statement of a role: each of its actions on each of its resources.
#[derive(Debug, Clone)]
pub struct StatementSpec {
    /// Its `Sid`.
    pub sid: String,
    /// The actions, such as `dynamodb:Query`.
    pub actions: Vec<String>,
    /// The ARNs of the resources.
    pub resources: Vec<String>,
}

/// `LoggingConfig`, which reaches the function as environment.
#[derive(Debug, Clone, Default)]
pub struct LoggingSpec {
    /// `JSON` or `Text`.
    pub format: Option<String>,
    /// `INFO`, `DEBUG` …
    pub application_level: Option<String>,
}

/// `EventInvokeConfig`, with AWS's defaults.
#[derive(Debug, Clone)]
pub struct AsyncSpec {
    /// How often a failed invocation is tried again.
    pub maximum_retries: u64,
    /// An older event is given up.
    pub maximum_age: Duration,
    /// The ARN of what gets the record of a given-up event.
    pub on_failure: Option<String>,
}

/// One route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSpec {
    /// Upper case; `ANY` is every method.
    pub method: String,
    /// With `{name}` segments, and perhaps `{name+}` at the end.
    pub path: String,
}

/// One schedule.
#[derive(Debug, Clone)]
pub struct ScheduleSpec {
    /// The rule's ARN, which the event carries.
    pub rule_arn: String,
    /// Time between two ticks.
    pub every: Duration,
    /// A constant payload instead of the usual event.
    pub input: Option<String>,
}

/// A DynamoDB table.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// Its key in `Resources`.
    pub logical_id: String,
    /// The table's name.
    pub name: String,
    /// The body of the `CreateTable` call.
    pub request: Value,
    /// The attribute that expires items.
    pub ttl_attribute: Option<String>,
}

/// An event bus.
#[derive(Debug, Clone)]
pub struct BusSpec {
    /// Its key in `Resources`.
    pub logical_id: String,
    /// The bus's name.
    pub name: String,
}

/// A rule on a bus.
#[derive(Debug, Clone)]
pub struct RuleSpec {
    /// Its key in `Resources`.
    pub logical_id: String,
    /// The rule's ARN.
    pub arn: String,
    /// The name of its bus.
    pub bus: String,
    /// The event pattern, as JSON.
    pub pattern: Value,
    /// What it invokes.
    pub targets: Vec<TargetSpec>,
}

/// An archive of a bus.
#[derive(Debug, Clone)]
pub struct ArchiveSpec {
    /// Its key in `Resources`.
    pub logical_id: String,
    /// The name of its bus.
    pub bus: String,
    /// The pattern of the events that it keeps, as JSON.
    pub pattern: Value,
}

/// One target of a rule.
#[derive(Debug, Clone)]
pub struct TargetSpec {
    /// The target's `Id`.
    pub id: String,
    /// The ARN of a function or a queue.
    pub arn: String,
    /// How often a failed delivery is tried again.
    pub maximum_retries: u64,
    /// An older event is given up.
    pub maximum_age: Duration,
    /// The ARN of the queue for what could not be delivered.
    pub dead_letters: Option<String>,
    /// A constant payload instead of the event.
    pub input: Option<String>,
}

/// An SQS queue.
#[derive(Debug, Clone)]
pub struct QueueSpec {
    /// Its key in `Resources`.
    pub logical_id: String,
    /// The queue's name.
    pub name: String,
    /// The queue's URL.
    pub url: String,
    /// The queue's ARN.
    pub arn: String,
    /// How long nobody else gets a received message.
    pub visibility_timeout: Duration,
    /// How long nobody gets a message that was sent.
    pub delay: Duration,
    /// How long a receiver waits for a message.
    pub receive_wait: Duration,
    /// How long a message is kept at most.
    pub retention: Duration,
    /// The largest message.
    pub maximum_bytes: usize,
    /// What becomes of messages that are received too often.
    pub redrive: Option<RedriveSpec>,
}

/// `RedrivePolicy`.
#[derive(Debug, Clone)]
pub struct RedriveSpec {
    /// The ARN of the queue for them.
    pub dead_letters: String,
    /// What was received so often is not received again.
    pub maximum_receives: u64,
}

/// What feeds a function from a queue.
#[derive(Debug, Clone)]
pub struct MappingSpec {
    /// Its key among the function's events.
    pub name: String,
    /// The ARN of the queue.
    pub queue: String,
    /// At most so many messages an invocation.
    pub batch_size: usize,
    /// How long a batch that is not full is waited for.
    pub batching_window: Duration,
    /// Whether the function's answer says which messages failed.
    pub reports_failures: bool,
    /// At most so many invocations at once.
    pub maximum_concurrency: Option<usize>,
}

impl Template {
    /// Reads the template at `path`.
    ///
    /// # Errors
    /// If the file is not a template that the stack can run; the message names the line.
    pub fn load(path: &Path, inputs: &Inputs) -> Result<Self> {
        let name = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        Self::parse(&text, inputs).with_context(|| format!("cannot run {name}"))
    }

    /// Reads the text of a template.
    ///
    /// # Errors
    /// If the text is not a template that the stack can run; the message names the line.
    pub fn parse(text: &str, inputs: &Inputs) -> Result<Self> {
        let root = node::parse(text)?;
        let parameters = Parameters::read(root.get("Parameters"), &inputs.parameters)?;
        let resolver = Resolver::new(root, parameters, &inputs.stack_name);
        resources::check_types(&resolver)?;
        let secrets = Secrets::read(&resolver, &inputs.secrets)?;
        let queues = queues::read(&resolver)?;
        let buses = events::read_buses(&resolver)?;
        Ok(Self {
            functions: functions::read(&resolver, &secrets, &queues)?,
            tables: tables::read(&resolver)?,
            rules: events::read_rules(&resolver)?,
            archives: archives::read(&resolver, &buses)?,
            buses,
            queues,
            roles: roles::read(&resolver)?,
            resources: resources::included_types(&resolver)?,
            logical_ids: resources::logical_ids(&resolver)?,
            secrets,
        })
    }

    /// Whether the template at `path` declares a parameter of this name.
    ///
    /// # Errors
    /// If the file cannot be read as YAML.
    pub fn declares_parameter(path: &Path, name: &str) -> Result<bool> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let root = node::parse(&text)?;
        let parameters = root.get("Parameters");
        Ok(parameters.is_some_and(|all| all.get(name).is_some()))
    }

    /// The role of a function; `None` if SAM makes it one.
    pub fn role_of(&self, function: &FunctionSpec) -> Option<&RoleSpec> {
        let arn = function.role.as_ref()?;
        self.roles.iter().find(|role| &role.arn == arn)
    }

    /// The value of a secret, by logical id.
    pub fn secret(&self, logical_id: &str) -> Option<&str> {
        self.secrets.value(logical_id)
    }
}

impl RoleSpec {
    /// The first statement that allows an action on a resource.
    pub fn statement(&self, action: &str, resource: &str) -> Option<&StatementSpec> {
        let mut statements = self.statements.iter();
        statements.find(|statement| {
            let is = |names: &[String], name| names.iter().any(|one| one == name);
            is(&statement.actions, action) && is(&statement.resources, resource)
        })
    }
}

/// A retry policy's two limits, or the service's defaults.
fn retry_limits(
    policy: Option<&Node>,
    default_retries: u64,
    default_age: Duration,
) -> Result<(u64, Duration)> {
    let number = |key| policy.and_then(|policy| policy.get(key)).map(Node::number);
    let retries = number("MaximumRetryAttempts").transpose()?;
    let age = number("MaximumEventAgeInSeconds").transpose()?;
    Ok((
        retries.unwrap_or(default_retries),
        age.map_or(default_age, Duration::from_secs),
    ))
}

#[cfg(test)]
mod tests;
