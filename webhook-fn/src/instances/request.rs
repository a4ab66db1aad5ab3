//! The body of a request that makes or changes an instance.

use serde_json::{Map, Value};
use shared::close::base_url::normalize;
use shared::instance::Instance;
use shared::instance::configuration::Configuration;
use shared::instance::policy::Policy;
use shared::instance::settings::{Settings, check_api_key, field};
use shared::polling::field_error::FieldError;
use shared::polling::warnings::Warnings;

use super::callback_secrets::refuse_another_origin;
use super::members::{
    MAX_BODY, check_element, parse_configuration, parse_name, parse_object, parse_tags,
};
use super::warnings::{self, CHANGEABLE};
use crate::http::error::HandlerError;

/// An instance must stay below the 400 KB of an item of DynamoDB's, also after many changes that each add something.
const MAX_CONFIGURATION: usize = MAX_BODY;

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
    configuration.set_default("base.url", policy.base_urls.default_url());
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

/// Names each field by its place in the body.
fn prefixed(problems: Vec<FieldError>) -> impl Iterator<Item = FieldError> {
    problems.into_iter().map(|problem| {
        FieldError::new(&format!("configuration.{}", problem.field), problem.message)
    })
}
