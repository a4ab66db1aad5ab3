//! The `Credential` of a signature, version 4.

use axum::http::{HeaderMap, header};

/// The key id that the account itself signs with.
pub(crate) const ACCOUNT_KEY: &str = "test";

/// Who signed, and for which service.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) key_id: String,
    pub(crate) service: String,
}

impl Credential {
    /// `Credential={key id}/{date}/{region}/{service}/aws4_request` of the `Authorization` header.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let parts = header.strip_prefix("AWS4-HMAC-SHA256 ")?.split(',');
        let mut credentials = parts.filter_map(|part| part.trim().strip_prefix("Credential="));
        let scope: Vec<_> = credentials.next()?.split('/').collect();
        match scope.as_slice() {
            [key_id, _date, _region, service, "aws4_request"] => Some(Self {
                key_id: (*key_id).to_owned(),
                service: (*service).to_owned(),
            }),
            _ => None,
        }
    }
}

/// The id of the key that a function signs with.
pub(crate) fn key_id(function: &str) -> String {
    format!("ASIA{function}")
}
