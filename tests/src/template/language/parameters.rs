//! Parameters: their defaults, the caller's overrides, and the checks CloudFormation makes.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};

use super::node::{Node, NodeKind};

/// The value of each parameter: text, or a list for a `CommaDelimitedList`.
#[derive(Debug)]
pub(crate) struct Parameters(BTreeMap<String, Node>);

impl Parameters {
    /// Reads the `Parameters` section. An override of a parameter that does not exist is an error.
    pub(crate) fn read(section: Option<&Node>, given: &BTreeMap<String, String>) -> Result<Self> {
        let entries = section.map_or(Ok(&[][..]), Node::entries)?;
        for name in given.keys() {
            ensure!(
                entries.iter().any(|entry| &entry.key == name),
                "the template has no parameter {name}"
            );
        }
        let mut values = BTreeMap::new();
        for entry in entries {
            let value = value(&entry.key, &entry.value, given.get(&entry.key))?;
            values.insert(entry.key.clone(), value);
        }
        Ok(Self(values))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.0.get(name)
    }
}

fn value(name: &str, declaration: &Node, given: Option<&String>) -> Result<Node> {
    let text = match (given, declaration.get("Default")) {
        (Some(text), _) => text.clone(),
        (None, Some(default)) => default.text()?,
        (None, None) => {
            return Err(declaration.error(format_args!("parameter {name} has no value")));
        }
    };
    check_allowed(name, declaration, &text)?;
    let kind = match declaration.require("Type")?.text()?.as_str() {
        "String" => NodeKind::Text(text),
        "Number" => check_number(name, declaration, &text).map(|()| NodeKind::Text(text))?,
        "CommaDelimitedList" => NodeKind::List(
            text.split(',')
                .map(|item| Node::of_text(declaration.line, item.trim()))
                .collect(),
        ),
        other => bail!(declaration.error(format_args!("unknown parameter type {other}"))),
    };
    Ok(Node::new(declaration.line, kind))
}

fn check_allowed(name: &str, declaration: &Node, text: &str) -> Result<()> {
    let Some(allowed) = declaration.get("AllowedValues") else {
        return Ok(());
    };
    for value in allowed.items()? {
        if value.text()? == text {
            return Ok(());
        }
    }
    Err(allowed.error(format_args!("parameter {name} does not allow {text:?}")))
}

fn check_number(name: &str, declaration: &Node, text: &str) -> Result<()> {
    let wrong = || declaration.error(format_args!("parameter {name} does not allow {text:?}"));
    let value: f64 = text.parse().map_err(|_| wrong())?;
    let limit = |key| -> Result<Option<f64>> {
        let bound = declaration.get(key).map(Node::text).transpose()?;
        Ok(bound.map(|bound| bound.parse()).transpose()?)
    };
    let too_small = limit("MinValue")?.is_some_and(|least| value < least);
    let too_large = limit("MaxValue")?.is_some_and(|most| most < value);
    if too_small || too_large {
        return Err(wrong());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::language::node::parse;

    fn read(given: &[(&str, &str)]) -> Result<Parameters> {
        let section = parse(
            "Level: {Type: String, Default: INFO, AllowedValues: [INFO, DEBUG]}\n\
             Memory: {Type: Number, Default: 256, MinValue: 128, MaxValue: 10240}\n\
             Zones: {Type: CommaDelimitedList, Default: 'a, b'}",
        )?;
        let given = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Parameters::read(Some(&section), &given)
    }

    #[test]
    fn defaults_stand_unless_overridden() -> Result<()> {
        let parameters = read(&[("Level", "DEBUG")])?;
        let text = |name| parameters.get(name).map(Node::to_json);
        assert_eq!(text("Level"), Some("DEBUG".into()));
        assert_eq!(text("Memory"), Some("256".into()));
        assert_eq!(text("Zones"), Some(["a", "b"].into_iter().collect()));
        Ok(())
    }

    #[test]
    fn values_outside_the_constraints_are_refused() {
        for (name, value) in [("Level", "TRACE"), ("Memory", "64"), ("Memory", "much")] {
            let error = read(&[(name, value)]).expect_err("must be refused");
            assert!(error.to_string().contains(value), "{error}");
        }
    }

    #[test]
    fn an_override_of_an_unknown_parameter_is_refused() {
        let error = read(&[("Levle", "INFO")]).expect_err("must be refused");
        assert_eq!(error.to_string(), "the template has no parameter Levle");
    }
}
