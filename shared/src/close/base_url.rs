//! Where Close's API is, under its present and its former names.

use url::Url;

/// Where Close's API is.
const DEFAULT_BASE_URL: &str = "https://api.close.com/api/v1";
/// The host of Close's API.
const CLOSE_HOST: &str = "api.close.com";
/// Its other names. Those of close.io are deprecated, and a redirect from them is not followed.
const OTHER_CLOSE_HOSTS: [&str; 4] = ["app.close.com", "api.close.io", "app.close.io", "close.io"];

/// Where an API key may go: to Close, and to what the operator named beside Close.
#[derive(Debug, Clone, Default)]
pub struct BaseUrls(Vec<String>);

impl BaseUrls {
    /// Close, and the base URLs that the operator names, as written.
    pub fn new(named: Vec<String>) -> Self {
        Self(named)
    }

    /// Whether a base URL, [normalized](normalize), is Close's, or one that the operator named.
    pub fn allows(&self, base_url: &str) -> bool {
        let mut named = self.0.iter().filter_map(|url| normalize(url));
        named.any(|named| named == base_url) || is_close(base_url)
    }

    /// Whether the operator wrote this very text.
    pub fn names(&self, text: &str) -> bool {
        self.0.iter().any(|named| named == text)
    }

    /// The base URL of an instance that names none: the operator's first, or Close's own.
    pub fn default_url(&self) -> &str {
        self.0.first().map_or(DEFAULT_BASE_URL, String::as_str)
    }
}

/// A base URL as the parser writes it, without slashes at the end.
pub fn normalize(base_url: &str) -> Option<String> {
    let url = Url::parse(base_url).ok()?;
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// A parsed base URL; one of Close's under another name has its present host.
pub fn at_present_host(base_url: &str) -> String {
    let other = OTHER_CLOSE_HOSTS
        .iter()
        .filter(|_| is_close(base_url))
        .find_map(|host| base_url.strip_prefix("https://")?.strip_prefix(host));
    other.map_or_else(
        || base_url.to_owned(),
        |path| format!("https://{CLOSE_HOST}{path}"),
    )
}

fn is_close(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else {
        return false;
    };
    let is_plain = url.username().is_empty() && url.password().is_none() && url.port().is_none();
    let is_plain = is_plain && url.query().is_none() && url.fragment().is_none();
    is_plain
        && url.scheme() == "https"
        && url
            .host_str()
            .is_some_and(|host| host == CLOSE_HOST || OTHER_CLOSE_HOSTS.contains(&host))
}
