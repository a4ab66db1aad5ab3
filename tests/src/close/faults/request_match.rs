//! Which requests a fault is for.

use crate::close::wire::request_log::LoggedRequest;

/// Describes requests: those to a path, and of these the next one unless [`times`](Self::times) says more.
#[derive(Debug, Clone)]
pub struct RequestMatch {
    path: String,
    method: Option<String>,
    api_key: Option<String>,
    text: Option<String>,
    pub(crate) after: usize,
    pub(crate) times: usize,
}

impl RequestMatch {
    /// Requests to a path below the base URL: `/data/search/`; a `*` at the end stands for anything.
    pub fn to(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            method: None,
            api_key: None,
            text: None,
            after: 0,
            times: 1,
        }
    }

    /// Only those with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only those that bear this API key.
    #[must_use]
    pub fn api_key(mut self, api_key: &str) -> Self {
        self.api_key = Some(api_key.to_owned());
        self
    }

    /// Only those whose body contains this text.
    #[must_use]
    pub fn containing(mut self, text: &str) -> Self {
        self.text = Some(text.to_owned());
        self
    }

    /// Lets so many pass first.
    #[must_use]
    pub fn after(mut self, requests: usize) -> Self {
        self.after = requests;
        self
    }

    /// So many of them; `usize::MAX` for all.
    #[must_use]
    pub fn times(mut self, requests: usize) -> Self {
        self.times = requests;
        self
    }

    /// Whether a request is of this kind, regardless of how many there were.
    pub fn describes(&self, request: &LoggedRequest) -> bool {
        let path = match self.path.strip_suffix('*') {
            Some(prefix) => request.path.starts_with(prefix),
            None => request.path == self.path,
        };
        path && self.method.as_ref().is_none_or(|m| *m == request.method)
            && self.api_key.as_ref().is_none_or(|key| request.has_key(key))
            && self
                .text
                .as_ref()
                .is_none_or(|text| request.body.contains(text))
    }
}
