//! What the operator allows an instance.

use crate::close::base_url::BaseUrls;

/// What the operator allows.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Where API keys may go.
    pub base_urls: BaseUrls,
    /// Whether an instance may have a callback URL.
    pub callbacks_enabled: bool,
    /// Whether a callback URL may be http, and its address private: for local use, or to read a configuration.
    pub local_callbacks: bool,
    /// Whether any base URL will do, to read a configuration; the client still sends nothing there.
    pub any_base_url: bool,
    /// Where the configuration comes from.
    pub origin: Origin,
}

/// Where a configuration comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Origin {
    /// A request, which can be sent again when it is mended.
    #[default]
    Request,
    /// The table. It was taken once, maybe by an earlier version that asked less.
    Table,
}

impl Policy {
    /// For an instance that was checked when it was provisioned and has only to be understood: what the operator has
    /// withdrawn since must not make its webhooks fail.
    pub fn of_stored() -> Self {
        Self {
            base_urls: BaseUrls::default(),
            callbacks_enabled: true,
            local_callbacks: true,
            any_base_url: true,
            origin: Origin::Table,
        }
    }

    /// Whether every reader parses the text alike. Parsers differ on `https://a\@b`, so the text of a request must be the
    /// parsed form, or the operator's own. Of a stored text the parsed form alone is used.
    pub fn is_unambiguous(&self, text: &str, base_url: &str) -> bool {
        self.origin == Origin::Table
            || text.trim_end_matches('/') == base_url
            || self.base_urls.names(text)
    }
}
