//! What the terminal shows.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use local_stack::aws::eventbridge::event::Event;
use serde_json::Value;
use serde_json::value::RawValue;
use shared::json::path;

use crate::receiver::Notification;

/// Where the object's name is: in a record, an entry of today's, a deletion, or 2014's `data`.
const NAMES: [&str; 4] = [
    "name",
    "event.data.name",
    "event.previous_data.name",
    "data.name",
];

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
            self.summary(event)
        };
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{line}")?;
        stdout.flush()?;
        Ok(())
    }

    /// What is said of an instance, on one line; beside bare JSON it goes to stderr.
    pub(crate) fn notice(&self, event: &Event) -> Result<()> {
        let text = |key: &str| path::text_at(&event.detail, key).unwrap_or_default();
        self.say(&format!(
            "{}  {}  {}  {}",
            text("to").get(11..23).unwrap_or_default(),
            self.painted("33", "notice  "),
            self.painted("1", &format!("{:<17}", event.detail_type)),
            text("pauseReason"),
        ))
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

    /// Anybody may put events on the bus, so a member that is not there or of another type is left empty.
    fn summary(&self, event: &Event) -> String {
        let detail = &event.detail;
        let text = |key: &str| path::text_at(detail, key).unwrap_or_default();
        let channel = text("channel");
        let color = if channel == "webhook" { "36" } else { "35" };
        let is_reconciled = path::at(detail, "reconciled").is_some();
        format!(
            "{}  {}  {}  {}  {}{}",
            text("date").get(11..23).unwrap_or_default(),
            self.painted(color, &format!("{channel:<8}")),
            self.painted("1", &format!("{:<17}", event.detail_type)),
            name_in(detail).unwrap_or_default(),
            self.painted("2", &text("objectId")),
            if is_reconciled { "  reconciled" } else { "" },
        )
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

fn name_in(detail: &RawValue) -> Option<String> {
    if let Some(raw) = path::at(detail, "raw") {
        return name(raw);
    }
    name(&shared::json::raw(&path::text_at(detail, "rawText")?).ok()?)
}

fn name(raw: &RawValue) -> Option<String> {
    NAMES.iter().find_map(|path| path::text_at(raw, path))
}

#[cfg(test)]
mod tests {
    use super::name_in;

    #[test]
    fn a_name_is_found_in_every_body_and_in_its_text() {
        for (detail, name) in [
            (r#"{"raw":{"name":"Acme"}}"#, Some("Acme")),
            (
                r#"{"raw":{"event":{"data":{"name":"Acme"}}}}"#,
                Some("Acme"),
            ),
            (r#"{"raw":{"data":{"id":"lead_1"}}}"#, None),
            (
                r#"{"rawText":"{\"name\":\"cut \\ud83d\"}"}"#,
                Some("cut \u{fffd}"),
            ),
            (r#"{"rawText":"soon","raw":7}"#, None),
            (r#"{"rawText":"soon"}"#, None),
            ("[]", None),
        ] {
            let detail = shared::json::raw(detail).unwrap();
            assert_eq!(name_in(&detail).as_deref(), name, "{detail}");
        }
    }
}
