//! Requests as API Gateway hands them over, made such that `lambda_http` can take each of them, and answers to them.
//!
//! It builds a URL of a request's host, path and query, and panics where they make none, which ends the process.

use std::future::ready;
use std::pin::Pin;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_http::http::header;
use lambda_http::request::LambdaRequest;
use lambda_http::{Body, IntoResponse, Response};
use url::Url;

/// What may stand in a query beside letters and digits. Source: RFC 3986, sections 3.4 and 2.1.
const QUERY: &[u8] = b"-._~!$&'()*+,;=:@/?%";
/// In bytes: API Gateway takes no longer request line. A URL of 64 KB is none, and encoding makes a byte three.
/// Source: docs.aws.amazon.com, "Quotas for configuring and running an HTTP API".
const MAX_PATH: usize = 10_240;
const MAX_QUERY: usize = 3 * MAX_PATH;
/// In bytes. Source: RFC 1035, section 2.3.4.
const MAX_HOST: usize = 255;
/// Nothing is there.
const ROOT: &str = "/";

/// An answer in UTF-8. A bare `Response` may be in any encoding that its content type names, and the tables of all of them
/// are a twentieth of the function.
#[derive(Debug)]
pub struct Utf8Response(pub Response<Body>);

impl IntoResponse for Utf8Response {
    fn into_response(self) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(ready(self.0))
    }
}

/// Takes away what the client says of host and scheme, for which nobody here asks, encodes what a query must not have, and
/// leads nowhere what makes no URL.
pub fn sanitize(request: LambdaRequest) -> LambdaRequest {
    match request {
        LambdaRequest::ApiGatewayV2(request) => {
            LambdaRequest::ApiGatewayV2(sanitize_request(request))
        }
        other => other,
    }
}

fn sanitize_request(mut request: ApiGatewayV2httpRequest) -> ApiGatewayV2httpRequest {
    request.headers.remove(header::HOST);
    request.headers.remove("x-forwarded-proto");
    let query = request.raw_query_string.as_deref().map(encode);
    request.raw_query_string = query.filter(|query| query.len() <= MAX_QUERY);
    let is_path = |path: &String| path.starts_with('/') && path.len() <= MAX_PATH;
    if !request.raw_path.as_ref().is_some_and(is_path) {
        request.raw_path = Some(ROOT.to_owned());
    }
    let host = request.request_context.domain_name.take();
    request.request_context.domain_name = host.filter(|host| is_host(host));
    let body = request.body.as_deref().unwrap_or_default();
    if request.is_base64_encoded && STANDARD.decode(body).is_err() {
        // Undecoded, it fails JSON parsing: 400.
        request.is_base64_encoded = false;
    }
    request
}

/// A name or an address, with or without a port.
fn is_host(host: &str) -> bool {
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte);
    let is_short = host.len() <= MAX_HOST;
    is_short && host.bytes().all(belongs) && Url::parse(&format!("https://{host}/")).is_ok()
}

fn encode(query: &str) -> String {
    let encoded = query.bytes().map(|byte| match byte {
        byte if byte.is_ascii_alphanumeric() || QUERY.contains(&byte) => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use lambda_http::Request;
    use serde_json::json;

    use super::{encode, sanitize};

    fn request(host: &str, path: &str, query: &str) -> Request {
        let event = json!({
            "version": "2.0", "rawPath": path, "rawQueryString": query, "headers": {"host": "a b"},
            "requestContext": {"stage": "$default", "domainName": host, "http": {"method": "GET"}},
        });
        sanitize(shared::json::read(&event.to_string()).unwrap()).into()
    }

    #[test]
    fn what_makes_no_url_leads_nowhere() {
        let path = |host: &str, path: &str, query: &str| {
            request(host, path, query).uri().path().to_owned()
        };
        let long = "/".repeat(100_000);
        for host in [
            "example.com",
            "",
            "a b",
            ":",
            "[",
            "\"a\"",
            "a@",
            "x\\y",
            "\u{ff0f}",
            "%",
            &long,
        ] {
            assert!(path(host, "/x", "").ends_with("/x"), "{host}");
        }
        for odd in ["", "x", "?", ":1/", "@x", "\\", &long] {
            assert_eq!(path("example.com", odd, ""), "/", "{odd}");
        }
        for odd in [
            "//x",
            "/ ",
            "/é",
            "/%",
            "/[",
            "/\u{0}",
            "/a|b`^{}<>\"",
            "/a:b@c",
            "/a\tb",
        ] {
            assert!(path("example.com", odd, "a=b").starts_with('/'), "{odd}");
        }
        assert_eq!(path("example.com", "/x#y", &"%41\"".repeat(9_000)), "/x");
    }

    #[test]
    fn a_query_keeps_what_it_may_have_and_encodes_the_rest() {
        assert_eq!(encode("tags%5B%5D=a+b&x=1"), "tags%5B%5D=a+b&x=1");
        assert_eq!(
            encode("tags[]=\"é <>\0"),
            "tags%5B%5D=%22%C3%A9%20%3C%3E%00"
        );
    }
}
