//! The `Events` of a function: routes of the HTTP API, and schedules.

use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::mappings;
use crate::plumbing::ids::{ACCOUNT, REGION};
use crate::template::language::node::Node;
use crate::template::language::resolver::Resolver;
use crate::template::specs::function::{RouteSpec, ScheduleSpec};

/// What invokes a function, but for queues.
#[derive(Debug, Default)]
pub(crate) struct Triggers {
    pub(crate) routes: Vec<RouteSpec>,
    pub(crate) schedules: Vec<ScheduleSpec>,
}

impl Triggers {
    pub(crate) fn read(resolver: &Resolver, function: &str, events: Option<&Node>) -> Result<Self> {
        let mut triggers = Self::default();
        for entry in events.map_or(Ok(&[][..]), Node::entries)? {
            let kind = entry.value.require("Type")?;
            let properties = entry.value.require("Properties")?;
            match kind.text()?.as_str() {
                "HttpApi" => triggers.routes.push(read_route(properties)?),
                "Schedule" => {
                    let rule = format!("{}-{function}{}", resolver.stack_name, entry.key);
                    triggers.schedules.extend(read_schedule(&rule, properties)?);
                }
                mappings::QUEUE_EVENT => {}
                other => bail!(kind.error(format_args!(
                    "the local stack does not know the event source {other}"
                ))),
            }
        }
        Ok(triggers)
    }
}

fn read_route(properties: &Node) -> Result<RouteSpec> {
    properties.only(&[
        "ApiId",
        "Method",
        "Path",
        "PayloadFormatVersion",
        "RouteSettings",
        "TimeoutInMillis",
    ])?;
    if let Some(version) = properties.get("PayloadFormatVersion") {
        ensure!(
            version.text()? == "2.0",
            version.error("the local stack only speaks payload format 2.0")
        );
    }
    Ok(RouteSpec {
        method: properties.require("Method")?.text()?.to_uppercase(),
        path: properties.require("Path")?.text()?,
    })
}

/// `None` if the schedule is disabled.
fn read_schedule(rule: &str, properties: &Node) -> Result<Option<ScheduleSpec>> {
    properties.only(&[
        "DeadLetterConfig",
        "Description",
        "Enabled",
        "Input",
        "Name",
        "RetryPolicy",
        "Schedule",
        "State",
    ])?;
    let disabled = properties.get("Enabled").map_or(Ok(true), Node::boolean)?;
    let state = properties.get("State").map(Node::text).transpose()?;
    if !disabled || state.as_deref() == Some("DISABLED") {
        return Ok(None);
    }
    let name = properties.get("Name").map(Node::text).transpose()?;
    let name = name.unwrap_or_else(|| rule.to_owned());
    Ok(Some(ScheduleSpec {
        rule_arn: format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"),
        every: read_rate(properties.require("Schedule")?)?,
        input: properties.get("Input").map(Node::text).transpose()?,
    }))
}

/// `rate(1 minute)`, `rate(5 minutes)`: singular for one, plural for more, as EventBridge insists.
fn read_rate(schedule: &Node) -> Result<Duration> {
    let text = schedule.text()?;
    let inner = text
        .strip_prefix("rate(")
        .and_then(|rest| rest.strip_suffix(')'));
    let parts = inner.and_then(|inner| inner.split_once(' '));
    let rate = parts.and_then(|(count, unit)| {
        let count: u64 = count.parse().ok().filter(|count| 0 < *count)?;
        let unit = match (count, unit) {
            (1, unit) => unit,
            (_, unit) => unit.strip_suffix('s')?,
        };
        let seconds = match unit {
            "minute" => 60,
            "hour" => 60 * 60,
            "day" => 24 * 60 * 60,
            _ => return None,
        };
        Some(Duration::from_secs(count * seconds))
    });
    rate.ok_or_else(|| schedule.error(format_args!("expected rate(n minutes), but found {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_strictly_as_eventbridge_reads_them() {
        for (text, seconds) in [
            ("rate(1 minute)", Some(60)),
            ("rate(5 minutes)", Some(300)),
            ("rate(2 hours)", Some(7200)),
            ("rate(1 minutes)", None),
            ("rate(2 minute)", None),
            ("rate(0 minutes)", None),
            ("every minute", None),
            ("cron(0 * * * ? *)", None),
        ] {
            let rate = read_rate(&Node::of_text(1, text)).ok();
            assert_eq!(rate.map(|rate| rate.as_secs()), seconds, "{text}");
        }
    }
}
