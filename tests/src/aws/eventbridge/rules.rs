//! Which targets an event goes to.

use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::delivery::Matched;
use super::event::Event;
use super::pattern::Pattern;
use crate::aws::lambda::targets::Targets;
use crate::template::specs::bus::RuleSpec;

/// The rules of all buses, in the template's order.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    rules: Vec<(RuleSpec, Pattern)>,
    targets: Arc<Targets>,
}

impl Rules {
    /// Refuses patterns that AWS would refuse, those it would match differently, and targets that are not in the template.
    pub(crate) fn new(specs: Vec<RuleSpec>, targets: Arc<Targets>) -> Result<Self> {
        let mut rules = Vec::new();
        for spec in specs {
            let pattern = read(&spec, &targets);
            let pattern = pattern.with_context(|| format!("rule {}", spec.logical_id))?;
            rules.push((spec, pattern));
        }
        Ok(Self { rules, targets })
    }

    /// What the event, which is `text` as JSON, goes to, in the template's order.
    pub(crate) fn matching(&self, event: &Event, text: &str) -> Vec<Matched> {
        let rules = self.rules.iter();
        rules
            .filter(|(rule, pattern)| rule.bus == event.bus && pattern.matches(text))
            .flat_map(|(rule, _)| rule.targets.iter().map(move |target| (rule, target)))
            .map(|(rule, target)| Matched {
                targets: self.targets.clone(),
                rule_arn: rule.arn.clone(),
                target: target.clone(),
                payload: target.input.clone().unwrap_or_else(|| text.to_owned()),
                trace: event.trace.clone(),
            })
            .collect()
    }
}

fn read(spec: &RuleSpec, targets: &Targets) -> Result<Pattern> {
    for target in &spec.targets {
        targets.check(&target.arn)?;
    }
    Pattern::new(&spec.pattern)
}
