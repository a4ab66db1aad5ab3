//! A request as the handlers see it.

use jiff::Timestamp;
use lambda_http::aws_lambda_events::query_map::QueryMap;
use lambda_http::http::HeaderMap;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};
use shared::function::clock::Clock;

/// What a request says, and the time that it has.
#[derive(Debug)]
pub struct Call<'a> {
    /// Lower-case names.
    pub headers: &'a HeaderMap,
    /// Decoded.
    pub query: QueryMap,
    /// The bytes that the client sent.
    pub body: &'a [u8],
    /// What webhook URLs begin with.
    pub public_url: String,
    /// The time, and the time left.
    pub clock: Clock,
    /// When Lambda ends the invocation.
    pub deadline: Timestamp,
    /// X-Ray's header, so that what is published bears the trace of the request.
    pub trace_header: Option<&'a str>,
}

impl<'a> Call<'a> {
    /// Reads a request. `public_url` is what webhook URLs begin with; without one, they begin with the request's own host.
    pub fn of(request: &'a Request, public_url: Option<&str>, clock: Clock) -> Self {
        let context = request.lambda_context_ref();
        let deadline = context.and_then(|context| i64::try_from(context.deadline).ok());
        Self {
            headers: request.headers(),
            query: request.query_string_parameters(),
            body: request.body().as_ref(),
            public_url: public_url.map_or_else(|| own_url(request), str::to_owned),
            deadline: deadline
                .and_then(|millis| Timestamp::from_millisecond(millis).ok())
                .unwrap_or(clock.started()),
            trace_header: context.and_then(|context| context.xray_trace_id.as_deref()),
            clock,
        }
    }
}

/// The API's own address, by which the client came.
fn own_url(request: &Request) -> String {
    let context = request.request_context_ref();
    let domain_name = context.and_then(|context| match context {
        RequestContext::ApiGatewayV2(context) => context.domain_name.as_deref(),
        _ => None,
    });
    format!("https://{}", domain_name.unwrap_or_default())
}
