//! Event patterns.

use anyhow::{Result, anyhow, bail, ensure};
use quamina::Quamina;
use serde_json::Value;

/// The operators of an EventBridge pattern that are matched here. quamina has others, which AWS would refuse; and AWS has
/// `$or`, which quamina has not.
const OPERATORS: [&str; 8] = [
    "anything-but",
    "cidr",
    "equals-ignore-case",
    "exists",
    "numeric",
    "prefix",
    "suffix",
    "wildcard",
];

/// What a rule or an archive asks of an event.
pub struct Pattern(Quamina<()>);

impl std::fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Pattern").finish_non_exhaustive()
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// If AWS would refuse it, or match it differently.
    pub fn new(pattern: &Value) -> Result<Self> {
        check(pattern)?;
        let mut matcher = Quamina::default();
        matcher
            .add_pattern((), &pattern.to_string())
            .map_err(|error| anyhow!("{error}"))?;
        Ok(Self(matcher))
    }

    /// Whether an event, as it is delivered, is one that is asked for.
    pub fn matches(&self, event: &str) -> bool {
        // The event is JSON for certain, which is all that the matcher asks for.
        let matched = self.0.matches_for_event(event.as_bytes());
        !matched.unwrap_or_default().is_empty()
    }
}

fn check(pattern: &Value) -> Result<()> {
    let Some(fields) = pattern.as_object() else {
        bail!("expected an object in the pattern, but found {pattern}");
    };
    for (name, value) in fields {
        ensure!(
            !name.starts_with('$'),
            "the local stack does not match {name}"
        );
        match value {
            Value::Object(_) => check(value)?,
            Value::Array(choices) if !choices.is_empty() => check_choices(choices)?,
            _ => bail!("expected a list with something in it as {name}, but found {value}"),
        }
    }
    Ok(())
}

fn check_choices(choices: &[Value]) -> Result<()> {
    for choice in choices.iter().filter_map(Value::as_object) {
        for operator in choice.keys() {
            ensure!(
                OPERATORS.contains(&operator.as_str()),
                "the local stack does not match {operator}"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_there_is_a_value_and_not_an_object() -> Result<()> {
        let event = r#"{"detail":{"object":{"a":1},"value":1,"null":null}}"#;
        for (member, exists) in [
            ("value", true),
            ("null", true),
            ("object", false),
            ("absent", false),
        ] {
            for asked in [true, false] {
                let pattern = json!({"detail": {member: [{"exists": asked}]}});
                let matches = Pattern::new(&pattern)?.matches(event);
                assert_eq!(matches, asked == exists, "{member} {asked}");
            }
        }
        Ok(())
    }
}
