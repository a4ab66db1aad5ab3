//! Secrets Manager: values made once for a stack, and `{{resolve:secretsmanager:…}}`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::template::language::node::{Node, NodeKind};
use crate::template::language::resolver::Resolver;
use crate::template::language::resources;

const LOWERCASE: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPERCASE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
/// What Secrets Manager makes when no length is asked for.
const DEFAULT_LENGTH: u64 = 32;

const OPEN: &str = "{{resolve:";
const CLOSE: &str = "}}";

/// The stack's secrets.
#[derive(Debug, Clone)]
pub(crate) struct Secrets(Vec<Secret>);

#[derive(Clone)]
struct Secret {
    logical_id: String,
    name: String,
    arn: String,
    value: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Secret")
            .field("logical_id", &self.logical_id)
            .finish_non_exhaustive()
    }
}

impl Secrets {
    /// Makes every secret's value; `given` holds the values the caller wants instead, by logical id.
    pub(crate) fn read(resolver: &Resolver, given: &BTreeMap<String, String>) -> Result<Self> {
        let mut secrets = Vec::new();
        for resource in resources::of_type(resolver, "AWS::SecretsManager::Secret")? {
            let properties = resolver.resolve(&resource.properties())?;
            let name = match properties.get("Name") {
                Some(name) => name.text()?,
                None => format!("{}-{}", resolver.stack_name, resource.name),
            };
            let value = match given.get(resource.name) {
                Some(value) => value.clone(),
                None => make_value(&properties)?,
            };
            secrets.push(Secret {
                logical_id: resource.name.to_owned(),
                arn: resolver.resource_reference(resource.line, resource.name)?,
                name,
                value,
            });
        }
        let known = |id: &String| secrets.iter().any(|secret| &secret.logical_id == id);
        if let Some(unknown) = given.keys().find(|id| !known(id)) {
            bail!("the template has no secret {unknown}");
        }
        Ok(Self(secrets))
    }

    /// The value of a secret, by logical id.
    pub(crate) fn value(&self, logical_id: &str) -> Option<&str> {
        let secret = self.0.iter().find(|secret| secret.logical_id == logical_id);
        secret.map(|secret| secret.value.as_str())
    }

    /// `text` with its dynamic references replaced.
    pub(crate) fn expand(&self, line: usize, text: &str) -> Result<String> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some(start) = rest.find(OPEN) {
            expanded.push_str(&rest[..start]);
            let reference = &rest[start + OPEN.len()..];
            let Some(end) = reference.find(CLOSE) else {
                bail!("line {line}: {OPEN} without {CLOSE}");
            };
            let value = self.lookup(&reference[..end]);
            expanded.push_str(&value.with_context(|| format!("line {line}"))?);
            rest = &reference[end + CLOSE.len()..];
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    /// `reference` is `secretsmanager:id-or-ARN[:SecretString[:json-key[:stage[:version]]]]`.
    fn lookup(&self, reference: &str) -> Result<String> {
        let Some(id) = reference.strip_prefix("secretsmanager:") else {
            bail!("the local stack does not know the dynamic reference {reference}");
        };
        let found = self.0.iter().find_map(|secret| {
            let tail = |name: &str| id.strip_prefix(name).map(str::to_owned);
            let tail = tail(&secret.arn).or_else(|| tail(&secret.name))?;
            (tail.is_empty() || tail.starts_with(':')).then_some((secret, tail))
        });
        let Some((secret, tail)) = found else {
            bail!("no secret is called {id}");
        };
        let mut parts = tail.split(':').skip(1);
        ensure!(
            matches!(parts.next(), None | Some("" | "SecretString")),
            "expected SecretString in {reference}"
        );
        match parts.next() {
            None | Some("") => Ok(secret.value.clone()),
            Some(key) => json_key(&secret.value, key),
        }
    }
}

fn json_key(value: &str, key: &str) -> Result<String> {
    let object: Value = serde_json::from_str(value).context("the secret is not JSON")?;
    let field = object.get(key).and_then(Value::as_str);
    field
        .map(str::to_owned)
        .with_context(|| format!("the secret has no text {key}"))
}

fn make_value(properties: &Node) -> Result<String> {
    if let Some(fixed) = properties.get("SecretString") {
        return fixed.text();
    }
    let empty = Node::new(properties.line, NodeKind::Map(Vec::new()));
    let rule = properties.get("GenerateSecretString").unwrap_or(&empty);
    let password = make_password(rule)?;
    let Some(template) = rule.get("SecretStringTemplate") else {
        return Ok(password);
    };
    let mut object: Value = serde_json::from_str(&template.text()?)
        .with_context(|| format!("line {}: SecretStringTemplate", template.line))?;
    object[rule.require("GenerateStringKey")?.text()?] = password.into();
    Ok(object.to_string())
}

fn make_password(rule: &Node) -> Result<String> {
    let flag = |key| rule.get(key).map_or(Ok(false), Node::boolean);
    let mut alphabet = String::new();
    for (excluded, characters) in [
        ("ExcludeLowercase", LOWERCASE),
        ("ExcludeUppercase", UPPERCASE),
        ("ExcludeNumbers", DIGITS),
        ("ExcludePunctuation", PUNCTUATION),
    ] {
        if !flag(excluded)? {
            alphabet.push_str(characters);
        }
    }
    if flag("IncludeSpace")? {
        alphabet.push(' ');
    }
    let excluded = rule.get("ExcludeCharacters").map(Node::text).transpose()?;
    alphabet.retain(|character| !excluded.iter().any(|text| text.contains(character)));
    let alphabet: Vec<char> = alphabet.chars().collect();
    let length = rule.get("PasswordLength").map(Node::number).transpose()?;
    (0..length.unwrap_or(DEFAULT_LENGTH))
        .map(|_| fastrand::choice(&alphabet).copied())
        .collect::<Option<String>>()
        .ok_or_else(|| rule.error("every character is excluded"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::language::node::parse;
    use crate::template::language::parameters::Parameters;

    fn secrets(given: &[(&str, &str)]) -> Result<Secrets> {
        let root = parse(
            "Resources:\n  User:\n    Type: AWS::SecretsManager::Secret\n    Properties:\n      \
             GenerateSecretString: {PasswordLength: 43, ExcludePunctuation: true}\n  \
             Pair:\n    Type: AWS::SecretsManager::Secret\n    Properties:\n      Name: pair\n      \
             SecretString: '{\"a\": \"one\"}'",
        )?;
        let parameters = Parameters::read(None, &BTreeMap::new())?;
        let given: BTreeMap<_, _> = given
            .iter()
            .map(|(id, value)| ((*id).to_owned(), (*value).to_owned()))
            .collect();
        Secrets::read(&Resolver::new(root, parameters, "closeio"), &given)
    }

    #[test]
    fn a_generated_value_obeys_its_rule() -> Result<()> {
        let secrets = secrets(&[])?;
        let value = secrets.value("User").context("no value")?;
        assert_eq!(value.len(), 43);
        assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        Ok(())
    }

    #[test]
    fn references_by_arn_and_name_are_expanded() -> Result<()> {
        let secrets = secrets(&[("User", "u-secret")])?;
        let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:closeio-User-000000";
        for (text, expect) in [
            (
                format!("{{{{resolve:secretsmanager:{arn}:SecretString}}}}"),
                "u-secret",
            ),
            (
                format!("<{{{{resolve:secretsmanager:{arn}}}}}>"),
                "<u-secret>",
            ),
            (
                "{{resolve:secretsmanager:pair:SecretString:a}}".to_owned(),
                "one",
            ),
            ("plain".to_owned(), "plain"),
        ] {
            assert_eq!(secrets.expand(1, &text)?, expect, "{text}");
        }
        Ok(())
    }

    #[test]
    fn an_unknown_reference_is_named_with_its_line() -> Result<()> {
        let secrets = secrets(&[])?;
        for text in ["{{resolve:ssm:x}}", "{{resolve:secretsmanager:nobody}}"] {
            let error = secrets.expand(7, text).expect_err("must be refused");
            assert_eq!(error.to_string(), "line 7", "{text}");
        }
        Ok(())
    }
}
