//! HTTP Basic with the API key as user name and an empty password.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::close::data::user::Owner;
use crate::close::wire::answer::Refusal;
use crate::close::world::account::Account;

/// The API key that the request bears, whether or not anyone owns it.
pub(crate) fn presented_key(headers: &HeaderMap) -> Option<String> {
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
pub(crate) fn authorize(
    accounts: &[Account],
    key: Option<&str>,
) -> Result<(usize, Owner), Refusal> {
    let secret = key.ok_or(Refusal::Unauthorized)?;
    let found = accounts.iter().enumerate().find_map(|(position, account)| {
        let key = account.keys.iter().find(|candidate| candidate.is(secret))?;
        Some((position, key.owner.clone()))
    });
    found.ok_or(Refusal::Unauthorized)
}
