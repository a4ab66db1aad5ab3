//! The body of a request that makes or changes an instance.

use serde_json::{Map, Value};
use shared::configuration::Configuration;
use shared::instance::Instance;
use shared::json::{self, JsonError};
use shared::settings::{FieldError, Policy, Settings, check_api_key, field, normalize};
use shared::warnings::Warnings;

use super::callback_secrets::refuse_another_origin;
use super::warnings::{self, CHANGEABLE};
use crate::http::error::HandlerError;

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
pub struct CheckedRequest {
    /// The instance's name.
    pub name: String,
    /// Its labels; its name where none are given.
    pub tags: Vec<String>,
    /// Its configuration, with the defaults filled in.
    pub configuration: Configuration,
    /// What that means.
    pub settings: Settings,
    /// What of the request has no effect.
    pub warnings: Warnings,
}

/// What was read so far.
#[derive(Default)]
struct Draft {
    name: String,
    tags: Vec<String>,
    configuration: Configuration,
    warnings: Warnings,
    errors: Vec<FieldError>,
}

/// Reads and checks a whole instance. Where it is to replace an `old` one, a masked secret means the old one's.
///
/// # Errors
/// When the body is too large or not JSON; else all that is missing or wrong, at once.
pub fn parse(
    body: &[u8],
    policy: &Policy,
    old: Option<&Instance>,
) -> Result<CheckedRequest, HandlerError> {
    let members = parse_object(body)?;
    let mut draft = Draft::default();
    warnings::warn_of_members(&members, &mut draft.warnings);
    check_element(&members, &mut draft.errors);
    draft.name = parse_name(&members, &mut draft.errors);
    draft.tags = parse_tags(&members, &draft.name, &mut draft.errors);
    let given = parse_configuration(&members, &mut draft.errors);
    draft.configure(&given, old.map(|old| &old.configuration));
    finish(draft, policy)
}

/// Reads and checks the parts of an instance that are to change; `null` removes a key of the configuration.
///
/// # Errors
/// As [`parse`].
pub fn parse_patch(
    body: &[u8],
    policy: &Policy,
    old: &Instance,
) -> Result<CheckedRequest, HandlerError> {
    let members = parse_object(body)?;
    let mut draft = Draft {
        configuration: old.configuration.clone(),
        ..Draft::default()
    };
    warnings::warn_of_members(&members, &mut draft.warnings);
    if !CHANGEABLE.iter().any(|name| members.contains_key(*name)) {
        return Err(nothing_to_change(draft.warnings));
    }
    if members.contains_key("element") {
        check_element(&members, &mut draft.errors);
    }
    draft.name = match members.get("name") {
        None => old.name.clone(),
        Some(_) => parse_name(&members, &mut draft.errors),
    };
    draft.tags = match members.get("tags") {
        None => old.tags.clone(),
        Some(_) => parse_tags(&members, &draft.name, &mut draft.errors),
    };
    let given = parse_configuration(&members, &mut draft.errors);
    draft.configure(&given, Some(&old.configuration));
    finish(draft, policy)
}

/// Whoever misspelt the only member is told which one is meant.
fn nothing_to_change(warnings: Warnings) -> HandlerError {
    let expected = CHANGEABLE.join(", ");
    let message = format!("expected at least one of {expected}, for nothing else can be changed");
    let mut errors = vec![FieldError::new("body", message)];
    errors.extend(warnings.into_errors());
    HandlerError::Invalid(errors)
}

impl Draft {
    /// Takes the request's configuration. A masked secret is the `old` one's.
    fn configure(&mut self, given: &Map<String, Value>, old: Option<&Configuration>) {
        warnings::warn_of_keys(given, &mut self.warnings);
        self.configuration.merge(given.clone());
        if let Some(old) = old {
            self.configuration.unmask(old);
            self.keep_base_url(old);
            let refused = refuse_another_origin(old, given, &self.configuration);
            self.errors.extend(refused);
        }
        let key = |of: &Configuration| of.get(field::USERNAME).map(str::to_owned);
        let given =
            key(&self.configuration).filter(|given| old.and_then(key).as_ref() != Some(given));
        if let Some(Err(error)) = given.as_deref().map(check_api_key) {
            self.errors.extend(prefixed(vec![error]));
        }
    }

    /// A text that was stored before its form mattered is no mistake of the request's: it is taken in its parsed form.
    fn keep_base_url(&mut self, old: &Configuration) {
        let text = self.configuration.get(field::BASE_URL);
        if text == old.get(field::BASE_URL)
            && let Some(parsed) = text.and_then(normalize)
        {
            self.configuration.set(field::BASE_URL, &parsed);
        }
    }
}

fn finish(draft: Draft, policy: &Policy) -> Result<CheckedRequest, HandlerError> {
    let Draft {
        name,
        tags,
        mut configuration,
        mut warnings,
        mut errors,
    } = draft;
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
        Ok(settings) if errors.is_empty() => {
            warnings::warn_of_objects(&configuration, &mut warnings);
            configuration.set(field::BASE_URL, &settings.base_url);
            warnings::warn_of_resources(&configuration, &settings, &mut warnings);
            Ok(CheckedRequest {
                name,
                tags,
                configuration,
                settings,
                warnings,
            })
        }
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
