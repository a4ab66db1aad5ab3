//! `AWS::Events::Archive`.

use anyhow::{Result, ensure};

use super::queues::number;
use crate::template::language::node::Node;
use crate::template::language::resolver::Resolver;
use crate::template::language::resources::{self, Resource};
use crate::template::specs::bus::{ArchiveSpec, BusSpec, bus_name};

/// The longest name; CloudFormation cuts those that it makes.
const MAXIMUM_NAME: usize = 48;

pub(crate) fn read(resolver: &Resolver, buses: &[BusSpec]) -> Result<Vec<ArchiveSpec>> {
    let resources = resources::of_type(resolver, "AWS::Events::Archive")?;
    let archives = resources.iter();
    archives
        .map(|resource| read_archive(resolver, resource, buses))
        .collect()
}

fn read_archive(
    resolver: &Resolver,
    resource: &Resource,
    buses: &[BusSpec],
) -> Result<ArchiveSpec> {
    let properties = resolver.resolve(&resource.properties())?;
    properties.only(&[
        "ArchiveName",
        "Description",
        "EventPattern",
        "KmsKeyIdentifier",
        "RetentionDays",
        "SourceArn",
    ])?;
    if let Some(name) = properties.get("ArchiveName") {
        ensure!(
            name.text()?.len() <= MAXIMUM_NAME,
            name.error(format_args!("expected at most {MAXIMUM_NAME} characters"))
        );
    }
    let source = properties.require("SourceArn")?;
    let arn = source.text()?;
    let bus = bus_name(&arn);
    ensure!(
        arn.starts_with("arn:") && buses.iter().any(|known| known.name == bus),
        source.error("expected the ARN of a bus of the template")
    );
    // AWS takes 0, and whoever says nothing, for ever.
    properties.require("RetentionDays")?;
    number(&properties, "RetentionDays", 0, &(1..=u64::from(u32::MAX)))?;
    Ok(ArchiveSpec {
        logical_id: resource.name.to_owned(),
        bus: bus.to_owned(),
        pattern: properties.require("EventPattern").map(Node::to_json)?,
    })
}
