//! `AWS::DynamoDB::Table`.

use anyhow::Result;
use serde_json::{Map, Value};

use crate::template::language::node::Node;
use crate::template::language::resolver::Resolver;
use crate::template::language::resources::{self, Resource};
use crate::template::specs::table::TableSpec;

/// What goes into `CreateTable` as it stands.
const PASSED_ON: [&str; 6] = [
    "AttributeDefinitions",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "ProvisionedThroughput",
];

/// Handled here, or without effect on a local table.
const OTHERS: [&str; 9] = [
    "TableName",
    "TimeToLiveSpecification",
    "ContributorInsightsSpecification",
    "DeletionProtectionEnabled",
    "OnDemandThroughput",
    "PointInTimeRecoverySpecification",
    "SSESpecification",
    "TableClass",
    "Tags",
];

pub(crate) fn read(resolver: &Resolver) -> Result<Vec<TableSpec>> {
    resources::of_type(resolver, "AWS::DynamoDB::Table")?
        .iter()
        .map(|resource| read_table(resolver, resource))
        .collect()
}

fn read_table(resolver: &Resolver, resource: &Resource) -> Result<TableSpec> {
    let properties = resource.properties();
    properties.only(&[&PASSED_ON[..], &OTHERS[..]].concat())?;
    let name = resolver.resource_reference(resource.line, resource.name)?;
    let mut request = Map::from_iter([("TableName".to_owned(), name.clone().into())]);
    for key in PASSED_ON {
        if let Some(node) = properties.get(key) {
            request.insert(key.to_owned(), resolver.resolve(node)?.to_json());
        }
    }
    let ttl = properties.get("TimeToLiveSpecification");
    Ok(TableSpec {
        logical_id: resource.name.to_owned(),
        name,
        request: Value::Object(request),
        ttl_attribute: ttl
            .map(|ttl| read_ttl(resolver, ttl))
            .transpose()?
            .flatten(),
    })
}

fn read_ttl(resolver: &Resolver, specification: &Node) -> Result<Option<String>> {
    specification.only(&["AttributeName", "Enabled"])?;
    if !resolver
        .resolve(specification.require("Enabled")?)?
        .boolean()?
    {
        return Ok(None);
    }
    resolver
        .text(specification.require("AttributeName")?)
        .map(Some)
}
