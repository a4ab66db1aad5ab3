//! HTTP Basic with the API key as user name and an empty password.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::answer::Refusal;
use super::ids;
use super::tenant::Tenant;

/// An API key of an organization.
#[derive(Debug, Clone)]
pub(super) struct ApiKey {
    /// The public identifier, as the event log and the request log name it.
    pub(super) id: String,
    secret: String,
}

impl ApiKey {
    /// A key with this secret.
    pub(super) fn new(secret: &str) -> Self {
        Self {
            id: ids::api_key(secret),
            secret: secret.to_owned(),
        }
    }

    /// Whether `secret` is this key's.
    pub(super) fn is(&self, secret: &str) -> bool {
        self.secret == secret
    }
}

/// The API key that the request bears, whether or not anyone owns it.
pub(super) fn presented_key(headers: &HeaderMap) -> Option<String> {
    let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    password.is_empty().then(|| user.to_owned())
}

/// The position of the organization that owns `key`.
pub(super) fn authorize(tenants: &[Tenant], key: Option<&str>) -> Result<usize, Refusal> {
    let key = key.ok_or(Refusal::Unauthorized)?;
    tenants
        .iter()
        .position(|tenant| tenant.keys.iter().any(|candidate| candidate.is(key)))
        .ok_or(Refusal::Unauthorized)
}
