//! The template as a tree that remembers its lines, with short tags (`!Ref`) written out (`Ref:`).

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use saphyr::{LoadableYamlNode as _, MarkedYaml, Scalar, Tag, YamlData};
use serde_json::{Map, Value};

/// The intrinsics that have a short form, without `!`; all are `Fn::…` in full but the first two.
const SHORT_TAGS: [&str; 13] = [
    "Ref",
    "Condition",
    "GetAtt",
    "Sub",
    "Join",
    "Select",
    "Split",
    "FindInMap",
    "If",
    "Equals",
    "And",
    "Or",
    "Not",
];

/// One YAML node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Where it begins, counted from 1.
    pub(crate) line: usize,
    pub(crate) kind: NodeKind,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NodeKind {
    /// `AWS::NoValue`: the property is left out.
    Absent,
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Pair>),
}

/// One key of a mapping and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) line: usize,
    pub(crate) value: Node,
}

/// Parses a YAML text that holds one document.
pub(crate) fn parse(text: &str) -> Result<Node> {
    let documents = MarkedYaml::load_from_str(text).context("is not YAML")?;
    let [document] = documents.as_slice() else {
        bail!("expected one YAML document, but found {}", documents.len());
    };
    convert(document)
}

fn convert(yaml: &MarkedYaml) -> Result<Node> {
    let line = yaml.span.start.line();
    let kind = match &yaml.data {
        YamlData::Value(scalar) => convert_scalar(scalar),
        YamlData::Sequence(items) => {
            NodeKind::List(items.iter().map(convert).collect::<Result<_>>()?)
        }
        YamlData::Mapping(entries) => NodeKind::Map(
            entries
                .iter()
                .map(|(key, value)| convert_entry(key, value))
                .collect::<Result<_>>()?,
        ),
        YamlData::Tagged(tag, inner) => return convert_tagged(line, tag, inner),
        _ => bail!("line {line}: a value that the local stack cannot read"),
    };
    Ok(Node { line, kind })
}

fn convert_scalar(scalar: &Scalar) -> NodeKind {
    match scalar {
        Scalar::Null => NodeKind::Null,
        Scalar::Boolean(value) => NodeKind::Bool(*value),
        Scalar::Integer(value) => NodeKind::Integer(*value),
        Scalar::FloatingPoint(value) => NodeKind::Float(value.0),
        Scalar::String(value) => NodeKind::Text(value.to_string()),
    }
}

fn convert_entry(key: &MarkedYaml, value: &MarkedYaml) -> Result<Pair> {
    let key = convert(key)?;
    Ok(Pair {
        line: key.line,
        key: key.text()?,
        value: convert(value)?,
    })
}

fn convert_tagged(line: usize, tag: &Tag, inner: &MarkedYaml) -> Result<Node> {
    let name = tag.suffix.as_str();
    ensure!(
        tag.handle == "!" && SHORT_TAGS.contains(&name),
        "line {line}: unknown tag {tag}"
    );
    let key = match name {
        "Ref" | "Condition" => name.to_owned(),
        _ => format!("Fn::{name}"),
    };
    let mut value = convert(inner)?;
    // The span of a tagged node begins after the tag; errors should name the tag's own line.
    value.line = line;
    Ok(Node {
        line,
        kind: NodeKind::Map(vec![Pair { key, line, value }]),
    })
}

impl Node {
    pub(crate) fn new(line: usize, kind: NodeKind) -> Self {
        Self { line, kind }
    }

    pub(crate) fn of_text(line: usize, text: impl Into<String>) -> Self {
        Self::new(line, NodeKind::Text(text.into()))
    }

    /// An error that names this node's line.
    pub(crate) fn error(&self, problem: impl std::fmt::Display) -> anyhow::Error {
        anyhow!("line {}: {problem}", self.line)
    }

    /// The entries of a mapping.
    pub(crate) fn entries(&self) -> Result<&[Pair]> {
        match &self.kind {
            NodeKind::Map(entries) => Ok(entries),
            _ => Err(self.error("expected a mapping")),
        }
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Result<&[Node]> {
        match &self.kind {
            NodeKind::List(items) => Ok(items),
            _ => Err(self.error("expected a list")),
        }
    }

    /// The value of `key`, if this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            NodeKind::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
        .map(|entry| &entry.value)
    }

    /// The value of `key`; its absence is an error.
    pub(crate) fn require(&self, key: &str) -> Result<&Node> {
        self.get(key)
            .ok_or_else(|| self.error(format_args!("{key} is missing")))
    }

    /// A scalar as text. CloudFormation takes numbers and booleans wherever it takes strings.
    pub(crate) fn text(&self) -> Result<String> {
        match &self.kind {
            NodeKind::Text(text) => Ok(text.clone()),
            NodeKind::Bool(value) => Ok(value.to_string()),
            NodeKind::Integer(value) => Ok(value.to_string()),
            NodeKind::Float(value) => Ok(value.to_string()),
            _ => Err(self.error("expected a string")),
        }
    }

    /// A whole number, also one written as a string, as a parameter's value is.
    pub(crate) fn number(&self) -> Result<u64> {
        let text = self.text()?;
        text.parse()
            .map_err(|_| self.error(format_args!("expected a whole number, but found {text:?}")))
    }

    /// `true` or `false`, also as a string.
    pub(crate) fn boolean(&self) -> Result<bool> {
        let text = self.text()?;
        text.parse()
            .map_err(|_| self.error(format_args!("expected true or false, but found {text:?}")))
    }

    /// Refuses keys that the local stack would otherwise pass over in silence.
    pub(crate) fn only(&self, known: &[&str]) -> Result<()> {
        for entry in self.entries()? {
            ensure!(
                known.contains(&entry.key.as_str()),
                "line {}: the local stack does not know the property {}",
                entry.line,
                entry.key
            );
        }
        Ok(())
    }

    /// The tree as JSON, for request bodies and patterns.
    pub(crate) fn to_json(&self) -> Value {
        match &self.kind {
            NodeKind::Absent | NodeKind::Null => Value::Null,
            NodeKind::Bool(value) => (*value).into(),
            NodeKind::Integer(value) => (*value).into(),
            NodeKind::Float(value) => (*value).into(),
            NodeKind::Text(text) => text.clone().into(),
            NodeKind::List(items) => items.iter().map(Self::to_json).collect(),
            NodeKind::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// This node with `over` laid on top, as SAM merges `Globals`: mappings key by key, lists one after the other, and
    /// anything else replaced.
    pub(crate) fn overlaid(&self, over: &Node) -> Node {
        let kind = match (&self.kind, &over.kind) {
            (NodeKind::Map(base), NodeKind::Map(top)) => NodeKind::Map(overlaid_entries(base, top)),
            (NodeKind::List(base), NodeKind::List(top)) => {
                NodeKind::List([&base[..], &top[..]].concat())
            }
            _ => over.kind.clone(),
        };
        Node::new(over.line, kind)
    }
}

fn overlaid_entries(base: &[Pair], top: &[Pair]) -> Vec<Pair> {
    let mut merged = base.to_vec();
    for entry in top {
        match merged.iter_mut().find(|known| known.key == entry.key) {
            Some(known) => known.value = known.value.overlaid(&entry.value),
            None => merged.push(entry.clone()),
        }
    }
    merged
}

/// In a policy one is as good as a list of one.
pub(crate) fn as_list(node: &Node) -> &[Node] {
    match &node.kind {
        NodeKind::List(items) => items,
        _ => std::slice::from_ref(node),
    }
}

/// The arguments of a function that takes exactly `N`.
pub(crate) fn arguments<const N: usize>(argument: &Node) -> Result<[&Node; N]> {
    let items: Vec<&Node> = argument.items()?.iter().collect();
    items
        .try_into()
        .map_err(|_| argument.error(format_args!("expected {N} arguments")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_forms_are_one_tree() -> Result<()> {
        let short = parse("a: !Sub '${X}'\nb: !GetAtt T.Arn\nc: !If [C, 1, 2]")?;
        let long = parse("a: {Fn::Sub: '${X}'}\nb: {Fn::GetAtt: T.Arn}\nc: {Fn::If: [C, 1, 2]}")?;
        assert_eq!(short.to_json(), long.to_json());
        Ok(())
    }

    #[test]
    fn an_unknown_tag_is_named_with_its_line() {
        let error = parse("a: 1\nb:\n  c: !Transform x\n").expect_err("must be refused");
        assert_eq!(error.to_string(), "line 3: unknown tag !Transform");
    }

    #[test]
    fn globals_lie_under_a_function() -> Result<()> {
        let globals = parse("Timeout: 3\nEnvironment: {Variables: {A: 1, B: 2}}")?;
        let function = parse("Timeout: 10\nEnvironment: {Variables: {B: 3, C: 4}}")?;
        let merged = globals.overlaid(&function).to_json();
        assert_eq!(
            merged.to_string(),
            r#"{"Timeout":10,"Environment":{"Variables":{"A":1,"B":3,"C":4}}}"#
        );
        Ok(())
    }

    #[test]
    fn an_unknown_property_is_named_with_its_line() -> Result<()> {
        let node = parse("Known: 1\n\nStrange: 2")?;
        let error = node.only(&["Known"]).expect_err("must be refused");
        assert!(error.to_string().starts_with("line 3: "), "{error}");
        Ok(())
    }
}
