//! The body of a request that makes or changes an instance.

use serde_json::{Map, Value};
use shared::configuration::Configuration;
use shared::instance::Instance;
use shared::json::{self, JsonError};
use shared::settings::{FieldError, Policy, Settings};

use super::callback_secrets::refuse_another_origin;
use crate::error::HandlerError;

/// Larger bodies are nobody's instance.
const MAX_BODY: usize = 256 * 1024;
/// Name and tags are in every event.
const MAX_TEXT: usize = 256;
const MAX_TAGS: usize = 50;
/// An instance must stay below the 400 KB of an item of DynamoDB's, also after many changes that each add something.
const MAX_CONFIGURATION: usize = MAX_BODY;
/// What a word processor makes of quotes.
const CURLY_QUOTES: [char; 6] = ['“', '”', '„', '‘', '’', '‚'];

const ELEMENT_KEY: &str = "closeio";

/// A checked request.
#[derive(Debug)]
pub struct Provision {
    /// The instance's name.
    pub name: String,
    /// Its labels; its name where none are given.
    pub tags: Vec<String>,
    /// Its configuration, with the defaults filled in.
    pub configuration: Configuration,
    /// What that means.
    pub settings: Settings,
}

/// Reads and checks a whole instance. Where it is to replace an `old` one, a masked secret means the old one's.
///
/// # Errors
/// When the body is too large or not JSON; else all that is missing or wrong, at once.
pub fn parse(
    body: &[u8],
    policy: &Policy,
    old: Option<&Instance>,
) -> Result<Provision, HandlerError> {
    let members = parse_object(body)?;
    let mut errors = Vec::new();
    check_element(&members, &mut errors);
    let name = parse_name(&members, &mut errors);
    let tags = parse_tags(&members, &name, &mut errors);
    let mut configuration = Configuration::default();
    let given = parse_configuration(&members, &mut errors);
    configuration.merge(given.clone());
    if let Some(Instance {
        configuration: old, ..
    }) = old
    {
        configuration.unmask(old);
        errors.extend(refuse_another_origin(old, &given, &configuration));
    }
    finish(name, tags, configuration, policy, errors)
}

/// Reads and checks the parts of an instance that are to change; `null` removes a key of the configuration.
///
/// # Errors
/// As [`parse`].
pub fn parse_patch(
    body: &[u8],
    policy: &Policy,
    old: &Instance,
) -> Result<Provision, HandlerError> {
    let members = parse_object(body)?;
    let mut errors = Vec::new();
    if members.contains_key("element") {
        check_element(&members, &mut errors);
    }
    let name = match members.get("name") {
        None => old.name.clone(),
        Some(_) => parse_name(&members, &mut errors),
    };
    let tags = match members.get("tags") {
        None => old.tags.clone(),
        Some(_) => parse_tags(&members, &name, &mut errors),
    };
    let mut configuration = old.configuration.clone();
    let given = parse_configuration(&members, &mut errors);
    configuration.merge(given.clone());
    configuration.unmask(&old.configuration);
    errors.extend(refuse_another_origin(
        &old.configuration,
        &given,
        &configuration,
    ));
    finish(name, tags, configuration, policy, errors)
}

fn finish(
    name: String,
    tags: Vec<String>,
    mut configuration: Configuration,
    policy: &Policy,
    mut errors: Vec<FieldError>,
) -> Result<Provision, HandlerError> {
    // Part of every answer of the service that this one follows.
    configuration.set_default("base.url", policy.default_base_url());
    configuration.set_default("pagination.max", "100");
    configuration.set_default("pagination.offset", "true");
    if MAX_CONFIGURATION < configuration.size() {
        errors.push(FieldError::new(
            "configuration",
            format!("expected keys and values of at most {MAX_CONFIGURATION} bytes in all"),
        ));
    }
    let settings = Settings::parse(&configuration, policy)
        .map_err(|problems| errors.extend(prefixed(problems)));
    match settings {
        Ok(settings) if errors.is_empty() => Ok(Provision {
            name,
            tags,
            configuration,
            settings,
        }),
        _ => Err(HandlerError::Invalid(errors)),
    }
}

/// Reads the object that a body must be.
///
/// # Errors
/// When it is too large, not JSON or no object.
pub fn parse_object(body: &[u8]) -> Result<Map<String, Value>, HandlerError> {
    if MAX_BODY < body.len() {
        return Err(HandlerError::TooLarge {
            limit: MAX_BODY,
            found: body.len(),
        });
    }
    let text = json::text(body).map_err(|error| HandlerError::NotJson(error.to_string()))?;
    match json::tree(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(HandlerError::NotJson("the body is no object".to_owned())),
        Err(error) => Err(HandlerError::NotJson(explain(text, &error))),
    }
}

/// The parser's words, with line and column; or what they are about, when somebody's editor has bent the quotes.
fn explain(text: &str, error: &JsonError) -> String {
    let position = text.lines().enumerate().find_map(|(index, line)| {
        let column = line
            .chars()
            .position(|character| CURLY_QUOTES.contains(&character))?;
        Some((index + 1, column + 1))
    });
    match position {
        Some((line, column)) if error.line().is_some_and(|fault| line <= fault) => {
            format!("curly quotes at line {line} column {column}: use straight quotes, \" and '")
        }
        _ => error.to_string(),
    }
}

fn check_element(members: &Map<String, Value>, errors: &mut Vec<FieldError>) {
    let key = members
        .get("element")
        .and_then(|element| element.get("key"));
    match key.and_then(Value::as_str) {
        Some(ELEMENT_KEY) => {}
        None if key.is_none() => {
            errors.push(FieldError::new("element.key", "is required: closeio"));
        }
        _ => errors.push(FieldError::new("element.key", "expected closeio")),
    }
}

fn parse_name(members: &Map<String, Value>, errors: &mut Vec<FieldError>) -> String {
    let name = members
        .get("name")
        .and_then(Value::as_str)
        .map(str::trim)
        .unwrap_or_default();
    match members.get("name") {
        None | Some(Value::Null) => errors.push(FieldError::new(
            "name",
            "is required: what to call the instance",
        )),
        _ if !is_label(name) => errors.push(FieldError::new(
            "name",
            "expected a text of 1 to 256 characters",
        )),
        _ => {}
    }
    name.to_owned()
}

fn parse_tags(
    members: &Map<String, Value>,
    name: &str,
    errors: &mut Vec<FieldError>,
) -> Vec<String> {
    let default = || vec![name.to_owned()];
    match members.get("tags") {
        None | Some(Value::Null) => default(),
        Some(Value::Array(tags)) if tags.len() <= MAX_TAGS && tags.iter().all(is_label_value) => {
            tags.iter()
                .filter_map(Value::as_str)
                .map(|tag| tag.trim().to_owned())
                .collect()
        }
        Some(_) => {
            errors.push(FieldError::new(
                "tags",
                "expected a list of up to 50 texts of 1 to 256 characters",
            ));
            default()
        }
    }
}

fn is_label_value(value: &Value) -> bool {
    value.as_str().map(str::trim).is_some_and(is_label)
}

/// Whether a text is neither empty nor too long for a name.
pub(super) fn is_label(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= MAX_TEXT
}

fn parse_configuration(
    members: &Map<String, Value>,
    errors: &mut Vec<FieldError>,
) -> Map<String, Value> {
    match members.get("configuration") {
        Some(Value::Object(members)) => {
            // DynamoDB takes no empty ones.
            if !members.keys().all(|key| is_label(key)) {
                errors.push(FieldError::new(
                    "configuration",
                    "expected keys of 1 to 256 characters",
                ));
            }
            members.clone()
        }
        None | Some(Value::Null) => Map::new(),
        Some(_) => {
            errors.push(FieldError::new("configuration", "expected an object"));
            Map::new()
        }
    }
}

/// Names each field by its place in the body.
fn prefixed(problems: Vec<FieldError>) -> impl Iterator<Item = FieldError> {
    problems.into_iter().map(|problem| {
        FieldError::new(&format!("configuration.{}", problem.field), problem.message)
    })
}
