//! Which targets an event goes to.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use quamina::Quamina;
use serde_json::Value;

use super::event::Event;
use crate::delivery::{Matched, Targets};
use crate::template::RuleSpec;

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

/// The rules of all buses.
#[derive(Default)]
pub(super) struct Rules {
    specs: Vec<RuleSpec>,
    /// By bus, the positions in `specs` by pattern.
    patterns: BTreeMap<String, Quamina<usize>>,
    targets: Arc<Targets>,
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Rules").field(&self.specs).finish()
    }
}

impl Rules {
    /// Refuses patterns that AWS would refuse, those it would match differently, and targets that are not in the template.
    pub(super) fn new(specs: Vec<RuleSpec>, targets: Arc<Targets>) -> Result<Self> {
        let mut patterns: BTreeMap<String, Quamina<usize>> = BTreeMap::new();
        for (position, spec) in specs.iter().enumerate() {
            let matcher = patterns.entry(spec.bus.clone()).or_default();
            add(matcher, position, spec, &targets)
                .with_context(|| format!("rule {}", spec.logical_id))?;
        }
        Ok(Self {
            specs,
            patterns,
            targets,
        })
    }

    /// What the event goes to, in the template's order.
    pub(super) fn matching(&self, event: &Event) -> Vec<Matched> {
        let Some(patterns) = self.patterns.get(&event.bus) else {
            return Vec::new();
        };
        // The event is JSON for certain, which is all that either step asks for.
        let text = event.to_json().unwrap_or_default();
        let mut positions = patterns
            .matches_for_event(text.as_bytes())
            .unwrap_or_default();
        positions.sort_unstable();
        let rules = positions.into_iter().map(|position| &self.specs[position]);
        rules
            .flat_map(|rule| rule.targets.iter().map(move |target| (rule, target)))
            .map(|(rule, target)| Matched {
                targets: self.targets.clone(),
                rule_arn: rule.arn.clone(),
                target: target.clone(),
                payload: target.input.clone().unwrap_or_else(|| text.clone()),
                trace: event.trace.clone(),
            })
            .collect()
    }
}

fn add(
    matcher: &mut Quamina<usize>,
    position: usize,
    spec: &RuleSpec,
    targets: &Targets,
) -> Result<()> {
    check_pattern(&spec.pattern)?;
    for target in &spec.targets {
        targets.check(&target.arn)?;
    }
    matcher
        .add_pattern(position, &spec.pattern.to_string())
        .map_err(|error| anyhow!("{error}"))
}

fn check_pattern(pattern: &Value) -> Result<()> {
    let Some(fields) = pattern.as_object() else {
        bail!("expected an object in the pattern, but found {pattern}");
    };
    for (name, value) in fields {
        ensure!(
            !name.starts_with('$'),
            "the local stack does not match {name}"
        );
        match value {
            Value::Object(_) => check_pattern(value)?,
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
