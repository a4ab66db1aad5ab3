//! Intrinsic functions: a property of the template with every reference replaced by its value.

use anyhow::{Result, bail, ensure};

use super::node::{Node, NodeKind, Pair, arguments};
use super::resolver::Resolver;
use crate::plumbing::ids::{ACCOUNT, REGION};

impl Resolver {
    /// `node` without intrinsics. Properties that come out as `AWS::NoValue` are gone.
    pub(crate) fn resolve(&self, node: &Node) -> Result<Node> {
        if let Some(entry) = intrinsic(node) {
            return self.call(node.line, entry);
        }
        let kind = match &node.kind {
            NodeKind::List(items) => NodeKind::List(self.resolve_items(items)?),
            NodeKind::Map(entries) => NodeKind::Map(self.resolve_entries(entries)?),
            other => other.clone(),
        };
        Ok(Node::new(node.line, kind))
    }

    /// `node` resolved, as text.
    pub(crate) fn text(&self, node: &Node) -> Result<String> {
        self.resolve(node)?.text()
    }

    fn resolve_items(&self, items: &[Node]) -> Result<Vec<Node>> {
        let mut resolved = Vec::with_capacity(items.len());
        for item in items {
            resolved.push(self.resolve(item)?);
        }
        resolved.retain(|item| item.kind != NodeKind::Absent);
        Ok(resolved)
    }

    fn resolve_entries(&self, entries: &[Pair]) -> Result<Vec<Pair>> {
        let mut resolved = Vec::with_capacity(entries.len());
        for entry in entries {
            let value = self.resolve(&entry.value)?;
            if value.kind != NodeKind::Absent {
                resolved.push(Pair {
                    value,
                    ..entry.clone()
                });
            }
        }
        Ok(resolved)
    }

    fn call(&self, line: usize, entry: &Pair) -> Result<Node> {
        let argument = &entry.value;
        match entry.key.as_str() {
            "Ref" => self.reference(line, &argument.text()?),
            "Fn::GetAtt" => self.attribute(line, argument),
            "Fn::Sub" => self.substitute(argument),
            "Fn::Join" => self.join(argument),
            "Fn::Select" => self.select(argument),
            "Fn::Split" => self.split(argument),
            "Fn::FindInMap" => self.find_in_map(argument),
            "Fn::If" => self.choose(argument),
            other => bail!("line {line}: the local stack does not know the function {other}"),
        }
    }

    fn reference(&self, line: usize, name: &str) -> Result<Node> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(Node::new(line, value.kind.clone()));
        }
        if name.starts_with("AWS::") {
            return self.pseudo(line, name);
        }
        Ok(Node::of_text(line, self.resource_reference(line, name)?))
    }

    fn pseudo(&self, line: usize, name: &str) -> Result<Node> {
        let text = match name {
            "AWS::NoValue" => return Ok(Node::new(line, NodeKind::Absent)),
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::Region" => REGION.to_owned(),
            "AWS::StackId" => format!(
                "arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{}/local",
                self.stack_name
            ),
            "AWS::StackName" => self.stack_name.clone(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            _ => bail!("line {line}: the local stack does not know the pseudo parameter {name}"),
        };
        Ok(Node::of_text(line, text))
    }

    /// Takes both `Resource.Attribute` and `[Resource, Attribute]`.
    fn attribute(&self, line: usize, argument: &Node) -> Result<Node> {
        let (name, attribute) = match &argument.kind {
            NodeKind::List(parts) if parts.len() == 2 => (parts[0].text()?, self.text(&parts[1])?),
            _ => match argument.text()?.split_once('.') {
                Some((name, attribute)) => (name.to_owned(), attribute.to_owned()),
                None => bail!("line {line}: expected Resource.Attribute"),
            },
        };
        let text = self.resource_attribute(line, &name, &attribute)?;
        Ok(Node::of_text(line, text))
    }

    /// Takes both a text and `[text, variables]`.
    fn substitute(&self, argument: &Node) -> Result<Node> {
        let (template, variables) = match &argument.kind {
            NodeKind::List(parts) if parts.len() == 2 => (parts[0].text()?, Some(&parts[1])),
            _ => (argument.text()?, None),
        };
        let mut text = String::new();
        let mut rest = template.as_str();
        while let Some(start) = rest.find("${") {
            text.push_str(&rest[..start]);
            let Some(length) = rest[start..].find('}') else {
                bail!(argument.error("${ without }"));
            };
            let name = &rest[start + 2..start + length];
            text.push_str(&self.substitution(argument.line, name, variables)?);
            rest = &rest[start + length + 1..];
        }
        text.push_str(rest);
        Ok(Node::of_text(argument.line, text))
    }

    fn substitution(&self, line: usize, name: &str, variables: Option<&Node>) -> Result<String> {
        if let Some(literal) = name.strip_prefix('!') {
            return Ok(format!("${{{literal}}}"));
        }
        let name = name.trim();
        if let Some(variable) = variables.and_then(|variables| variables.get(name)) {
            return self.text(variable);
        }
        match name.split_once('.') {
            Some((resource, attribute)) => self.resource_attribute(line, resource, attribute),
            None => self.reference(line, name)?.text(),
        }
    }

    fn join(&self, argument: &Node) -> Result<Node> {
        let [delimiter, list] = arguments(argument)?;
        let delimiter = self.text(delimiter)?;
        let list = self.resolve(list)?;
        let texts = list.items()?.iter().map(Node::text);
        let joined = texts.collect::<Result<Vec<_>>>()?.join(&delimiter);
        Ok(Node::of_text(argument.line, joined))
    }

    fn select(&self, argument: &Node) -> Result<Node> {
        let [index, list] = arguments(argument)?;
        let index = self.resolve(index)?.number()?;
        let list = self.resolve(list)?;
        let item = list.items()?.get(usize::try_from(index)?);
        item.cloned()
            .ok_or_else(|| argument.error(format_args!("the list has no item {index}")))
    }

    fn split(&self, argument: &Node) -> Result<Node> {
        let [delimiter, text] = arguments(argument)?;
        let delimiter = self.text(delimiter)?;
        ensure!(!delimiter.is_empty(), argument.error("empty delimiter"));
        let text = self.text(text)?;
        let parts = text.split(&delimiter);
        let parts = parts.map(|part| Node::of_text(argument.line, part));
        Ok(Node::new(argument.line, NodeKind::List(parts.collect())))
    }

    fn find_in_map(&self, argument: &Node) -> Result<Node> {
        let [map, first, second] = arguments(argument)?;
        let (map, first, second) = (self.text(map)?, self.text(first)?, self.text(second)?);
        let found = self
            .root
            .get("Mappings")
            .and_then(|mappings| mappings.get(&map)?.get(&first)?.get(&second));
        found
            .cloned()
            .ok_or_else(|| argument.error(format_args!("no mapping {map}.{first}.{second}")))
    }

    fn choose(&self, argument: &Node) -> Result<Node> {
        let [condition, yes, no] = arguments(argument)?;
        let holds = self.holds(argument.line, &condition.text()?)?;
        self.resolve(if holds { yes } else { no })
    }
}

/// The only entry of `node`, if that is a call of an intrinsic function.
pub(crate) fn intrinsic(node: &Node) -> Option<&Pair> {
    match &node.kind {
        NodeKind::Map(entries) => match entries.as_slice() {
            [entry] if entry.key == "Ref" || entry.key.starts_with("Fn::") => Some(entry),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests;
