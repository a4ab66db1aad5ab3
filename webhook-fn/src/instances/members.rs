//! The members of a request's body. What is missing or wrong is noted, so that all of it is told at once.

use serde_json::{Map, Value};
use shared::json::{self, JsonError};
use shared::polling::field_error::FieldError;

use crate::http::error::HandlerError;

/// Larger bodies are nobody's instance.
pub const MAX_BODY: usize = 256 * 1024;
/// Name and tags are in every event.
const MAX_TEXT: usize = 256;
const MAX_TAGS: usize = 50;
/// What a word processor makes of quotes.
const CURLY_QUOTES: [char; 6] = ['“', '”', '„', '‘', '’', '‚'];

const ELEMENT_KEY: &str = "closeio";

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

/// Notes whether the body names the element of this service.
pub fn check_element(members: &Map<String, Value>, errors: &mut Vec<FieldError>) {
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

/// The name of the instance.
pub fn parse_name(members: &Map<String, Value>, errors: &mut Vec<FieldError>) -> String {
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

/// The labels of the instance; its name, where the body gives none.
pub fn parse_tags(
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
pub fn is_label(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= MAX_TEXT
}

/// The configuration as the body gives it.
pub fn parse_configuration(
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
