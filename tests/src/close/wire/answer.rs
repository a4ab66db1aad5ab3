//! What the API answers, and the bodies of its errors.

use serde_json::{Map, Value, json};

/// An answer before the transport's own headers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Headers beside `Date` and `Content-Type`.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The body.
    pub(crate) body: Body,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    /// Nothing.
    Empty,
    /// What Close says.
    Json(Value),
    /// What something before Close says.
    Text(String),
}

impl Answer {
    /// An answer with a JSON body and no headers of its own.
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Json(body),
        }
    }
}

/// Why a request is not answered with 200.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refusal {
    /// No valid API key.
    Unauthorized,
    /// The user may not do that.
    Forbidden,
    /// No such object; the word is Close's name for its type.
    NotFound(&'static str),
    /// A 400 with one message.
    Invalid(String),
    /// A 400 that names the field.
    Field(&'static str, String),
    /// A 400 that names items of a list by their positions.
    Positions(&'static str, Vec<usize>),
    /// A limit above the resource's largest.
    MaxLimit(usize),
    /// A skip above the resource's largest.
    MaxSkip(usize),
    /// Close may know this; the simulator does not, so the test must not go on unnoticed.
    NotSimulated(u16, String),
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthorized => Self::json(401, json!({ "error": UNAUTHORIZED })),
            Refusal::Forbidden => Self::json(
                403,
                json!({ "error": "You do not have permission to perform this action." }),
            ),
            Refusal::NotFound(label) => Self::json(
                404,
                json!({ "error": format!("Empty query: {label} matching query does not exist.") }),
            ),
            Refusal::Invalid(message) => Self::json(400, json!({ "error": message })),
            Refusal::Field(field, message) => Self::json(
                400,
                json!({ "errors": [], "field-errors": { field: message } }),
            ),
            Refusal::Positions(field, positions) => {
                let choice = |at: &usize| (at.to_string(), json!("Not a valid choice."));
                let errors: Map<_, _> = positions.iter().map(choice).collect();
                Self::json(
                    400,
                    json!({ "errors": [], "field-errors": { field: errors } }),
                )
            }
            Refusal::MaxLimit(max) => Self::json(400, json!({ "error": max_limit(max) })),
            Refusal::MaxSkip(max) => Self::json(400, json!({ "error": max_skip(max) })),
            Refusal::NotSimulated(status, what) => {
                Self::json(status, json!({ "error": format!("not simulated: {what}") }))
            }
        }
    }
}

/// The message of a 401, double spaces as recorded.
const UNAUTHORIZED: &str = "The server could not verify that you are authorized to access the URL requested.  \
    You either supplied the wrong credentials (e.g. a bad password), or your browser doesn't understand how to supply \
    the credentials required.";

fn max_limit(max: usize) -> String {
    format!(
        "The limit you set is larger than the maximum limit for this resource (max_limit = {max})."
    )
}

fn max_skip(max: usize) -> String {
    format!(
        "The skip you set is larger than the maximum skip for this resource (max_skip = {max}). \
         Please refine your search query."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(refusal: Refusal, status: u16, recorded: &str) {
        let answer = Answer::from(refusal);
        let recorded: Value = serde_json::from_str(recorded).unwrap();
        let expected = (status, Body::Json(recorded));
        assert_eq!((answer.status, answer.body), expected);
    }

    #[test]
    fn errors_have_the_recorded_bodies() {
        check(
            Refusal::Unauthorized,
            401,
            include_str!("../samples/error-401.json"),
        );
        check(
            Refusal::NotFound("Lead"),
            404,
            include_str!("../samples/error-404.json"),
        );
        check(
            Refusal::MaxLimit(100),
            400,
            include_str!("../samples/error-400-max-limit.json"),
        );
    }
}
