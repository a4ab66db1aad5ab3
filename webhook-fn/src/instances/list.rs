//! `GET /instances`

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lambda_http::http::HeaderName;
use serde_json::Value;
use shared::instance::id::InstanceId;
use shared::instance::settings::Settings;
use shared::instance::{Instance, Phase};
use shared::polling::field_error::FieldError;

use super::{read, view};
use crate::app::App;
use crate::http::authorization::Credentials;
use crate::http::call::Call;
use crate::http::error::HandlerError;
use crate::http::reply::Reply;

const DEFAULT_PAGE_SIZE: i32 = 100;
/// More could be too large for an answer of Lambda's, 6 MB.
const MAX_PAGE_SIZE: i32 = 200;
/// Pages of the table that one request looks through for instances with the tags.
const MAX_PAGES: usize = 20;

const COUNT_HEADER: HeaderName = HeaderName::from_static("elements-returned-count");
const NEXT_HEADER: HeaderName = HeaderName::from_static("elements-next-page-token");

/// The query of a listing.
#[derive(Debug, PartialEq, Eq)]
struct ListQuery {
    page_size: i32,
    after: Option<InstanceId>,
    tags: Vec<String>,
}

/// Lists instances, a page at a time, those with all of `tags[]`; or shows the instance of an Element token.
///
/// A page may be shorter than `pageSize`. There is another while the answer has `Elements-Next-Page-Token`.
///
/// # Errors
/// 400 with all that is wrong with the query; 401; 503.
pub async fn list(
    app: &App,
    call: &Call<'_>,
    credentials: &Credentials,
) -> Result<Reply, HandlerError> {
    if let Some(hash) = credentials.token_hash() {
        let id = app
            .instances
            .find_by_token(&hash)
            .await?
            .ok_or(HandlerError::Unauthorized)?;
        return Ok(read::read(app, call, credentials, &id.to_string())
            .await?
            .into());
    }
    credentials.require_account(&app.config)?;
    let query = parse(call)?;
    let (instances, next) = search(app, query).await?;
    let listed: Vec<_> = instances
        .iter()
        .filter_map(|instance| show(instance, call))
        .collect();
    let mut headers = vec![(COUNT_HEADER, listed.len().to_string())];
    headers.extend(next.map(|id| (NEXT_HEADER, URL_SAFE_NO_PAD.encode(id.to_string()))));
    Ok(Reply {
        headers,
        ..Value::Array(listed).into()
    })
}

fn parse(call: &Call<'_>) -> Result<ListQuery, HandlerError> {
    let mut errors = Vec::new();
    let page_size = match call.query.first("pageSize").map(str::parse) {
        None => DEFAULT_PAGE_SIZE,
        Some(Ok(size)) if (1..=MAX_PAGE_SIZE).contains(&size) => size,
        Some(_) => {
            errors.push(FieldError::new(
                "pageSize",
                format!("expected a whole number, 1 to {MAX_PAGE_SIZE}"),
            ));
            DEFAULT_PAGE_SIZE
        }
    };
    let after = match call.query.first("nextPage").map(parse_token) {
        None => None,
        Some(Some(id)) => Some(id),
        Some(None) => {
            errors.push(FieldError::new(
                "nextPage",
                "expected the Elements-Next-Page-Token of the page before",
            ));
            None
        }
    };
    let tags = call.query.all("tags[]").unwrap_or_default();
    let tags = tags.into_iter().map(str::to_owned).collect();
    if errors.is_empty() {
        Ok(ListQuery {
            page_size,
            after,
            tags,
        })
    } else {
        Err(HandlerError::Invalid(errors))
    }
}

fn parse_token(token: &str) -> Option<InstanceId> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}

/// Goes on through the table until something fits.
async fn search(
    app: &App,
    query: ListQuery,
) -> Result<(Vec<Instance>, Option<InstanceId>), HandlerError> {
    let mut after = query.after;
    for _ in 0..MAX_PAGES {
        let page = app.instances.page(after, query.page_size).await?;
        let fits = |instance: &Instance| {
            instance.phase != Phase::Removing
                && query.tags.iter().all(|tag| instance.tags.contains(tag))
        };
        let found: Vec<_> = page.instances.into_iter().filter(fits).collect();
        if !found.is_empty() || page.next.is_none() {
            return Ok((found, page.next));
        }
        after = page.next;
    }
    Ok((Vec::new(), after))
}

fn show(instance: &Instance, call: &Call<'_>) -> Option<Value> {
    match Settings::stored(&instance.configuration) {
        Ok(settings) => Some(view::to_json(instance, &settings, &call.public_url)),
        Err(errors) => {
            tracing::error!(instance.id = %instance.id, errors = errors.len(), "an instance's configuration cannot be read");
            None
        }
    }
}
