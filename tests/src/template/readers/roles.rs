//! `AWS::IAM::Role`: what its inline policies allow.

use anyhow::{Result, ensure};

use crate::template::language::node::{Node, as_list};
use crate::template::language::resolver::Resolver;
use crate::template::language::resources::{self, Resource};
use crate::template::specs::role::{RoleSpec, StatementSpec};

/// What is local, and therefore judged by the roles: by action and resource alone, each by its name.
const LOCAL_SERVICES: [&str; 3] = ["dynamodb:", "events:", "sqs:"];

pub(crate) fn read(resolver: &Resolver) -> Result<Vec<RoleSpec>> {
    resources::of_type(resolver, "AWS::IAM::Role")?
        .iter()
        .map(|resource| read_role(resolver, resource))
        .collect()
}

fn read_role(resolver: &Resolver, resource: &Resource) -> Result<RoleSpec> {
    let properties = resolver.resolve(&resource.properties())?;
    properties.only(&[
        "AssumeRolePolicyDocument",
        "Description",
        "Policies",
        "RoleName",
        "Tags",
    ])?;
    let mut statements = Vec::new();
    for policy in properties
        .get("Policies")
        .map_or(Ok(&[][..]), Node::items)?
    {
        let document = policy.require("PolicyDocument")?;
        for statement in as_list(document.require("Statement")?) {
            statements.push(read_statement(statement)?);
        }
    }
    Ok(RoleSpec {
        logical_id: resource.name.to_owned(),
        name: resolver.resource_reference(resource.line, resource.name)?,
        arn: resolver.resource_attribute(resource.line, resource.name, "Arn")?,
        statements,
    })
}

fn read_statement(node: &Node) -> Result<StatementSpec> {
    node.only(&["Action", "Condition", "Effect", "Resource", "Sid"])?;
    let effect = node.require("Effect")?;
    ensure!(
        effect.text()? == "Allow",
        effect.error("the local stack only knows statements that allow")
    );
    let texts = |key| {
        let nodes = as_list(node.require(key)?).iter();
        nodes.map(Node::text).collect::<Result<Vec<_>>>()
    };
    let statement = StatementSpec {
        sid: node.require("Sid")?.text()?,
        actions: texts("Action")?,
        resources: texts("Resource")?,
    };
    let is_local = |action: &String| {
        let mut services = LOCAL_SERVICES.iter();
        services.any(|service| action.starts_with(service)) || action.starts_with('*')
    };
    if statement.actions.iter().any(is_local) {
        check_local(node, &statement)?;
    }
    Ok(statement)
}

fn check_local(node: &Node, statement: &StatementSpec) -> Result<()> {
    let mut named = statement.actions.iter().chain(&statement.resources);
    ensure!(
        !named.any(|name| name.contains(['*', '?'])),
        node.error("a role names each action and each resource")
    );
    ensure!(
        node.get("Condition").is_none(),
        node.error("the local stack does not know the conditions of statements")
    );
    Ok(())
}
