//! `template.yaml` as the local stack runs it.
//!
//! The text becomes a tree with line numbers (`node`), its intrinsics become values (`intrinsics`), and the resources
//! that have a local effect become what the stack runs ([`specs`]). Whatever the stack would have to guess about (an intrinsic, a
//! resource type, a property, an event source) is an error that names the line.

pub(crate) mod language;
pub(crate) mod readers;
pub mod specs;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};

use self::language::parameters::Parameters;
use self::language::resolver::Resolver;
use self::language::{node, resources};
use self::readers::secrets::Secrets;
use self::readers::{archives, events, functions, queues, roles, tables};
use self::specs::bus::{ArchiveSpec, BusSpec, RuleSpec};
use self::specs::function::FunctionSpec;
use self::specs::queue::QueueSpec;
use self::specs::role::RoleSpec;
use self::specs::table::TableSpec;

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

#[cfg(test)]
mod tests;
