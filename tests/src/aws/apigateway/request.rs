//! The event that a function gets for an HTTP request.

use std::net::SocketAddr;

use axum::http::{HeaderMap, HeaderName, header, request::Parts};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::percent;
use super::route::Found;
use crate::plumbing::clock;
use crate::plumbing::ids::{ACCOUNT, trace_header, uuid};

/// The id of the one local API.
const API_ID: &str = "local";

/// The content types that API Gateway passes on as text; any other body is base64.
const TEXT_TYPES: [&str; 3] = [
    "application/json",
    "application/javascript",
    "application/xml",
];

/// The event in payload format 2.0.
pub(crate) fn event(found: &Found, parts: &Parts, body: &[u8], peer: SocketAddr) -> Value {
    let headers = &parts.headers;
    let (raw_path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let mut event = json!({
        "version": "2.0",
        "routeKey": found.key,
        "rawPath": percent::decode(raw_path).unwrap_or_else(|| raw_path.to_owned()),
        "rawQueryString": query,
        "headers": joined_headers(headers, peer),
        "requestContext": context(found, parts, peer),
        "isBase64Encoded": false,
    });
    let cookies = values(headers, &header::COOKIE);
    if !cookies.is_empty() {
        let cookies = cookies.iter().flat_map(|cookie| cookie.split("; "));
        event["cookies"] = cookies.map(str::to_owned).collect();
    }
    if !query.is_empty() {
        event["queryStringParameters"] = query_parameters(query);
    }
    if !found.parameters.is_empty() {
        event["pathParameters"] = json!(found.parameters);
    }
    if !body.is_empty() {
        let text = std::str::from_utf8(body).ok().filter(|_| is_text(headers));
        event["isBase64Encoded"] = text.is_none().into();
        event["body"] = text
            .map_or_else(|| STANDARD.encode(body), str::to_owned)
            .into();
    }
    event
}

fn context(found: &Found, parts: &Parts, peer: SocketAddr) -> Value {
    let header = |name| values(&parts.headers, &name).join(",");
    let now = clock::now();
    let domain = header(header::HOST);
    json!({
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "domainName": domain,
        "domainPrefix": domain.split('.').next(),
        "http": {
            "method": parts.method.as_str(),
            "path": parts.uri.path(),
            "protocol": format!("{:?}", parts.version),
            "sourceIp": peer.ip().to_string(),
            "userAgent": header(header::USER_AGENT),
        },
        "requestId": uuid(),
        "routeKey": found.key,
        "stage": "$default",
        "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
        "timeEpoch": now.as_millisecond(),
    })
}

/// Lower-case names, repeated headers joined by commas, cookies apart, and what API Gateway adds.
fn joined_headers(headers: &HeaderMap, peer: SocketAddr) -> Value {
    let mut joined = Map::new();
    for name in headers.keys().filter(|name| *name != header::COOKIE) {
        let value = values(headers, name).join(",");
        joined.insert(name.as_str().to_owned(), value.into());
    }
    let trace = trace_header(clock::now().as_second());
    for (name, value) in [
        ("x-amzn-trace-id", trace),
        ("x-forwarded-for", peer.ip().to_string()),
        ("x-forwarded-port", peer.port().to_string()),
        ("x-forwarded-proto", "http".to_owned()),
    ] {
        joined.entry(name).or_insert_with(|| value.into());
    }
    Value::Object(joined)
}

fn values(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let all = headers.get_all(name).iter();
    all.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

/// Decoded, and repeated parameters joined by commas.
fn query_parameters(query: &str) -> Value {
    let mut parameters: Map<String, Value> = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| percent::decode_query(text).unwrap_or_else(|| text.to_owned());
        let (name, value) = (decoded(name), decoded(value));
        let earlier = parameters.get(&name).and_then(Value::as_str);
        let value = earlier.map_or_else(|| value.clone(), |earlier| format!("{earlier},{value}"));
        parameters.insert(name, value.into());
    }
    Value::Object(parameters)
}

fn is_text(headers: &HeaderMap) -> bool {
    let content_type = values(headers, &header::CONTENT_TYPE).join(",");
    let media_type = content_type.split(';').next().unwrap_or_default();
    let media_type = media_type.trim().to_ascii_lowercase();
    media_type.starts_with("text/") || TEXT_TYPES.contains(&media_type.as_str())
}
