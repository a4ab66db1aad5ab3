//! What was asked of the simulator.

use std::collections::HashMap;

use crate::close::data::ids;

/// One request, as it came.
#[derive(Debug, Clone)]
pub struct LoggedRequest {
    /// `GET`, `POST`, …; what `x-http-method-override` says, if it is there.
    pub method: String,
    /// The path below the base URL, with its trailing slash: `/data/search/`.
    pub path: String,
    /// The query parameters, decoded, with those that a `GET` has in its body.
    pub query: HashMap<String, String>,
    /// The body as text; bytes that are no text are replaced.
    pub body: String,
    /// The public identifier of the API key presented, valid or not.
    pub key_id: Option<String>,
    /// The status of the answer; `None` while there is none, and for good if the connection was closed instead.
    pub status: Option<u16>,
}

impl LoggedRequest {
    /// Whether the request bore this API key.
    pub fn has_key(&self, api_key: &str) -> bool {
        self.key_id == Some(ids::api_key(api_key))
    }
}
