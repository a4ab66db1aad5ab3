//! The HTTP response that a function's answer stands for.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::plumbing::ids::uuid;

/// An answer with a `statusCode`, in payload format 2.0.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionAnswer {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    #[serde(default)]
    multi_value_headers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    cookies: Vec<String>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// `None` if the answer is one that API Gateway turns into a 500.
pub(crate) fn from_function(text: &str) -> Option<Response> {
    let value: Value = serde_json::from_str(text).ok()?;
    if value.get("statusCode").is_some() {
        return build(serde_json::from_value(value).ok()?);
    }
    // Without a status code the whole answer is the body.
    let mut response = Response::new(Body::from(text.to_owned()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Some(response)
}

fn build(answer: FunctionAnswer) -> Option<Response> {
    let text = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded {
        STANDARD.decode(text).ok()?
    } else {
        text.into_bytes()
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status_code).ok()?;
    let single = answer.headers.iter().filter_map(|(name, value)| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        (!answer.multi_value_headers.contains_key(name)).then_some((name.as_str(), text))
    });
    let several = answer.multi_value_headers.iter();
    let several =
        several.flat_map(|(name, all)| all.iter().map(|one| (name.as_str(), one.clone())));
    let cookies = answer
        .cookies
        .into_iter()
        .map(|cookie| ("set-cookie", cookie));
    let id = [("apigw-requestid", uuid())];
    for (name, value) in single.chain(several).chain(cookies).chain(id) {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        // The length is the server's to say.
        if name != header::CONTENT_LENGTH {
            response
                .headers_mut()
                .append(name, HeaderValue::from_str(&value).ok()?);
        }
    }
    let json = HeaderValue::from_static("text/plain; charset=utf-8");
    response
        .headers_mut()
        .entry(header::CONTENT_TYPE)
        .or_insert(json);
    Some(response)
}
