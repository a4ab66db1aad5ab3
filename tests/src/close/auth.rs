//! HTTP Basic with the API key as user name and an empty password.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::answer::Refusal;
use super::tenant::Tenant;

/// An API key of an organization.
#[derive(Debug, Clone)]
pub(super) struct ApiKey {
    pub(super) owner: Owner,
    secret: String,
}

/// The user whose key it is.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) id: String,
    pub(super) role: Role,
}

impl ApiKey {
    /// A key with this secret.
    pub(super) fn new(secret: &str, owner: Owner) -> Self {
        Self {
            owner,
            secret: secret.to_owned(),
        }
    }

    /// Whether `secret` is this key's.
    pub(super) fn is(&self, secret: &str) -> bool {
        self.secret == secret
    }
}

/// What the user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Everything.
    Admin,
    /// See what is new, and change what is the user's own.
    User,
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

/// The position of the organization that owns `key`, and whose key it is.
pub(super) fn authorize(tenants: &[Tenant], key: Option<&str>) -> Result<(usize, Owner), Refusal> {
    let secret = key.ok_or(Refusal::Unauthorized)?;
    let found = tenants.iter().enumerate().find_map(|(position, tenant)| {
        let key = tenant.keys.iter().find(|candidate| candidate.is(secret))?;
        Some((position, key.owner.clone()))
    });
    found.ok_or(Refusal::Unauthorized)
}
