//! What the terminal shows.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use local_stack::bus::event::Event;
use serde_json::Value;

use crate::receiver::Notification;

/// Writes to stdout what was asked for, and to stderr what is only about the run.
#[derive(Debug)]
pub(crate) struct Screen {
    events_json: bool,
    is_terminal: bool,
}

impl Screen {
    pub(crate) fn new(events_json: bool) -> Self {
        Self {
            events_json,
            is_terminal: std::io::stdout().is_terminal(),
        }
    }

    /// A line for people; beside bare JSON it goes to stderr.
    pub(crate) fn say(&self, text: &str) -> Result<()> {
        if self.events_json {
            writeln!(std::io::stderr(), "{text}")?;
        } else {
            writeln!(std::io::stdout(), "{text}")?;
        }
        Ok(())
    }

    /// A line that a function wrote, if it is about trouble. What it measures has no level.
    pub(crate) fn trouble(&self, function: &str, line: &str) -> Result<()> {
        let record: Value = serde_json::from_str(line).unwrap_or(Value::Null);
        let text = match record["level"].as_str() {
            Some("WARN" | "ERROR") => fields(&record["fields"]),
            Some(_) => return Ok(()),
            None if !record["_aws"].is_null() => return Ok(()),
            None => line.to_owned(),
        };
        writeln!(
            std::io::stderr(),
            "{}  {text}",
            self.painted("33", function)
        )?;
        Ok(())
    }

    /// An event: as it is, or on one line.
    pub(crate) fn event(&self, event: &Event) -> Result<()> {
        let line = if self.events_json {
            event.to_json()?
        } else {
            self.summary(event)?
        };
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{line}")?;
        stdout.flush()?;
        Ok(())
    }

    /// A callback that has been verified, on one line; beside bare JSON it goes to stderr.
    pub(crate) fn callback(&self, notification: &Notification) -> Result<()> {
        self.say(&format!(
            "{:<12}  {}  {}  {}  {}  verified",
            notification.date.get(11..19).unwrap_or_default(),
            self.painted("32", "callback"),
            self.painted("1", &format!("{:<17}", notification.kind)),
            name(&notification.raw).unwrap_or_default(),
            self.painted("2", &notification.object_id),
        ))
    }

    fn summary(&self, event: &Event) -> Result<String> {
        let detail: Value = event.parse_detail()?;
        let text = |key: &str| detail[key].as_str().unwrap_or_default().to_owned();
        let channel = text("channel");
        let color = if channel == "webhook" { "36" } else { "35" };
        Ok(format!(
            "{}  {}  {}  {}  {}",
            text("date").get(11..23).unwrap_or_default(),
            self.painted(color, &format!("{channel:<8}")),
            self.painted("1", &format!("{:<17}", event.detail_type)),
            name(&detail["raw"]).unwrap_or_default(),
            self.painted("2", &text("objectId")),
        ))
    }

    fn painted(&self, color: &str, text: &str) -> String {
        if self.is_terminal {
            format!("\x1b[{color}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The message and then the other fields of a log line.
fn fields(fields: &Value) -> String {
    let members = fields.as_object().into_iter().flatten();
    let others = members.filter(|(name, _)| *name != "message");
    let others: Vec<_> = others
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let message = fields["message"].as_str().unwrap_or_default();
    format!("{message}  {}", others.join(" "))
}

/// The object's name, wherever the body has it: a record, an entry of today's, a deletion, or 2014's `data`.
fn name(raw: &Value) -> Option<&str> {
    let entry = &raw["event"];
    let places = [raw, &entry["data"], &entry["previous_data"], &raw["data"]];
    places.into_iter().find_map(|place| place["name"].as_str())
}
