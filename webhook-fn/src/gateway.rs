//! Requests as API Gateway hands them over, made such that `lambda_http` can take each of them, and answers to them.
//!
//! It builds a URL of a request's headers and query, and panics where they make none: a client could have any answer turn
//! into a failure of the function.

use std::future::ready;
use std::pin::Pin;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_http::http::header;
use lambda_http::request::LambdaRequest;
use lambda_http::{Body, IntoResponse, Response};

/// What may stand in a query beside letters and digits. Source: RFC 3986, sections 3.4 and 2.1.
const QUERY: &[u8] = b"-._~!$&'()*+,;=:@/?%";

/// An answer in UTF-8. A bare `Response` may be in any encoding that its content type names, and the tables of all of them
/// are a twentieth of the function.
#[derive(Debug)]
pub struct Answer(pub Response<Body>);

impl IntoResponse for Answer {
    fn into_response(self) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(ready(self.0))
    }
}

/// Takes away what the client says of host and scheme, for which nobody here asks, and encodes what a query must not have.
pub fn tame(request: LambdaRequest) -> LambdaRequest {
    match request {
        LambdaRequest::ApiGatewayV2(request) => LambdaRequest::ApiGatewayV2(tame_request(request)),
        other => other,
    }
}

fn tame_request(mut request: ApiGatewayV2httpRequest) -> ApiGatewayV2httpRequest {
    request.headers.remove(header::HOST);
    request.headers.remove("x-forwarded-proto");
    request.raw_query_string = request.raw_query_string.as_deref().map(encode);
    let body = request.body.as_deref().unwrap_or_default();
    if request.is_base64_encoded && STANDARD.decode(body).is_err() {
        // It is then no JSON, and is answered so.
        request.is_base64_encoded = false;
    }
    request
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
    use super::encode;

    #[test]
    fn a_query_keeps_what_it_may_have_and_encodes_the_rest() {
        assert_eq!(encode("tags%5B%5D=a+b&x=1"), "tags%5B%5D=a+b&x=1");
        assert_eq!(
            encode("tags[]=\"é <>\0"),
            "tags%5B%5D=%22%C3%A9%20%3C%3E%00"
        );
    }
}
