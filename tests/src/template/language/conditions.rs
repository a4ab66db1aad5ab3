//! The `Conditions` section.

use anyhow::{Result, bail};

use super::node::{Node, NodeKind, arguments};
use super::resolver::Resolver;

impl Resolver {
    /// Whether the named condition holds.
    pub(crate) fn holds(&self, line: usize, name: &str) -> Result<bool> {
        let conditions = self.root.get("Conditions");
        let Some(declaration) = conditions.and_then(|all| all.get(name)) else {
            bail!("line {line}: no condition is called {name}");
        };
        self.guarded(line, name, || evaluate(self, declaration))
    }
}

fn evaluate(resolver: &Resolver, node: &Node) -> Result<bool> {
    let [entry] = node.entries()? else {
        bail!(node.error("expected one condition function"));
    };
    let argument = &entry.value;
    match entry.key.as_str() {
        "Condition" => resolver.holds(node.line, &argument.text()?),
        "Fn::Equals" => equals(resolver, argument),
        "Fn::Not" => {
            let [inner] = arguments(argument)?;
            Ok(!evaluate(resolver, inner)?)
        }
        "Fn::And" => all(resolver, argument),
        "Fn::Or" => Ok(!none(resolver, argument)?),
        other => bail!(node.error(format_args!(
            "the local stack does not know the condition function {other}"
        ))),
    }
}

fn equals(resolver: &Resolver, argument: &Node) -> Result<bool> {
    let [left, right] = arguments(argument)?;
    let side = |node| -> Result<String> {
        let value = resolver.resolve(node)?;
        match &value.kind {
            NodeKind::List(_) | NodeKind::Map(_) => Ok(value.to_json().to_string()),
            _ => value.text(),
        }
    };
    Ok(side(left)? == side(right)?)
}

fn all(resolver: &Resolver, argument: &Node) -> Result<bool> {
    for item in argument.items()? {
        if !evaluate(resolver, item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn none(resolver: &Resolver, argument: &Node) -> Result<bool> {
    for item in argument.items()? {
        if evaluate(resolver, item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::template::language::node::parse;
    use crate::template::language::parameters::Parameters;

    fn check(condition: &str, expect: bool) -> Result<()> {
        let root = parse(&format!(
            "Conditions:\n  Yes: !Equals [a, a]\n  No: !Equals [a, b]\n  Asked: {condition}"
        ))?;
        let parameters = Parameters::read(None, &BTreeMap::new())?;
        let resolver = Resolver::new(root, parameters, "closeio");
        assert_eq!(resolver.holds(1, "Asked")?, expect, "{condition}");
        Ok(())
    }

    #[test]
    fn conditions_combine() -> Result<()> {
        check("!And [!Condition Yes, !Condition No]", false)?;
        check("!And [!Condition Yes, !Condition Yes]", true)?;
        check("!Or [!Condition No, {Condition: Yes}]", true)?;
        check("!Or [!Condition No, !Condition No]", false)?;
        check("!Not [!Condition No]", true)
    }

    #[test]
    fn a_circle_is_an_error() {
        let error = check("!Not [!Condition Asked]", true).expect_err("must be refused");
        assert_eq!(error.to_string(), "line 4: Asked refers to itself");
    }
}
