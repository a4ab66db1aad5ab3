//! HTTP through the gateway to a function that echoes its event, and back.

use anyhow::Context as _;
use serde_json::Value;

use super::*;
use crate::aws::lambda::function::tests::{Script, spec, start};
use crate::control::journal::Journal;
use crate::plumbing::http::ANY_PORT;
use crate::template::specs::function::{FunctionSpec, RouteSpec};

struct Harness {
    gateway: Gateway,
    http: reqwest::Client,
    _script: Script,
}

impl Harness {
    async fn start() -> Result<Self> {
        let route = |method: &str, path: &str| RouteSpec {
            method: method.to_owned(),
            path: path.to_owned(),
        };
        let routes = vec![route("POST", "/hooks/{id}"), route("GET", "/hooks/{id}")];
        let script = Script::new()?;
        let function = start(&script.0, FunctionSpec { routes, ..spec() });
        let entrance = Entrance::bind(ANY_PORT).await?;
        let measured = Arc::new(Journal::new(usize::MAX));
        Ok(Self {
            gateway: Gateway::start(entrance, &[function], Meter::of_api("api", &measured))?,
            http: reqwest::Client::builder().no_proxy().build()?,
            _script: script,
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.gateway.url())
    }
}

#[tokio::test]
async fn a_request_becomes_an_event_of_format_two() -> Result<()> {
    let harness = Harness::start().await?;
    let request = harness
        .http
        .post(harness.url("/hooks/MjA5MzE%3D?tags%5B%5D=a+b&tags%5B%5D=c&x"));
    let request = request
        .header("X-Two", "1")
        .header("X-Two", "2")
        .header("Cookie", "a=1; b=2");
    let request = request.header("Content-Type", "Application/JSON; charset=utf-8");
    let event: Value = request.body("{ \"ü\": 1.50 }").send().await?.json().await?;
    let host = harness.gateway.url();
    let host = host.strip_prefix("http://").context("no scheme")?;
    for (pointer, expect) in [
        ("/version", json!("2.0")),
        ("/routeKey", json!("POST /hooks/{id}")),
        ("/rawPath", json!("/hooks/MjA5MzE=")),
        ("/rawQueryString", json!("tags%5B%5D=a+b&tags%5B%5D=c&x")),
        ("/headers/x-two", json!("1,2")),
        ("/headers/cookie", json!(null)),
        ("/cookies", json!(["a=1", "b=2"])),
        (
            "/queryStringParameters",
            json!({"tags[]": "a b,c", "x": ""}),
        ),
        ("/pathParameters", json!({"id": "MjA5MzE="})),
        ("/requestContext/domainName", json!(host)),
        ("/requestContext/http/method", json!("POST")),
        ("/requestContext/http/protocol", json!("HTTP/1.1")),
        ("/requestContext/http/sourceIp", json!("127.0.0.1")),
        ("/requestContext/stage", json!("$default")),
        ("/body", json!("{ \"ü\": 1.50 }")),
        ("/isBase64Encoded", json!(false)),
    ] {
        let found = event.pointer(pointer).unwrap_or(&Value::Null);
        assert_eq!(found, &expect, "{pointer}");
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_not_text_is_base64() -> Result<()> {
    let harness = Harness::start().await?;
    for (content_type, body, expect, encoded) in [
        ("application/octet-stream", &b"{}"[..], "e30=", true),
        ("application/x-www-form-urlencoded", b"a=1", "YT0x", true),
        ("text/plain", b"a", "a", false),
        ("text/plain", b"\xff", "/w==", true),
    ] {
        let request = harness
            .http
            .post(harness.url("/hooks/1"))
            .header("Content-Type", content_type);
        let event: Value = request.body(body).send().await?.json().await?;
        assert_eq!(
            (&event["body"], &event["isBase64Encoded"]),
            (&json!(expect), &json!(encoded))
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_the_gateway_answers_itself() -> Result<()> {
    let harness = Harness::start().await?;
    let post = |path: &str, body: Vec<u8>| harness.http.post(harness.url(path)).body(body);
    let megabytes = |count: usize| vec![b'x'; count * 1024 * 1024];
    for (request, status, message) in [
        (post("/other", vec![]), 404, "Not Found"),
        (harness.http.put(harness.url("/hooks/1")), 404, "Not Found"),
        (
            post("/hooks/1", megabytes(11)),
            413,
            "Request Entity Too Large",
        ),
        (
            post("/hooks/1", megabytes(5)),
            413,
            "Request Entity Too Large",
        ),
    ] {
        let response = request.send().await?;
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.json::<Value>().await?, json!({"message": message}));
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_becomes_a_response() -> Result<()> {
    let answer = json!({
        "statusCode": 201,
        "headers": {"x-one": "1", "content-type": "application/json"},
        "multiValueHeaders": {"x-two": ["2", "3"]},
        "cookies": ["a=1"],
        "body": "e30=",
        "isBase64Encoded": true,
    });
    let response = response::from_function(&answer.to_string()).context("no response")?;
    assert_eq!(response.status(), 201);
    let header = |name: &str| -> Vec<_> {
        let all = response.headers().get_all(name).iter();
        all.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect()
    };
    assert_eq!(header("x-one"), ["1"]);
    assert_eq!(header("x-two"), ["2", "3"]);
    assert_eq!(header("set-cookie"), ["a=1"]);
    assert_eq!(header("content-type"), ["application/json"]);
    let body = axum::body::to_bytes(response.into_body(), 10).await?;
    assert_eq!(&body[..], b"{}");
    for bad in ["", "{", r#"{"statusCode":"x"}"#, r#"{"statusCode":99}"#] {
        assert!(response::from_function(bad).is_none(), "{bad}");
    }
    Ok(())
}
