//! The functions, by their keys in the template.

/// What reads Close when nobody else tells of its changes.
pub(crate) const POLLER: &str = "PollerFunction";
/// What answers the HTTP API and takes webhooks.
pub(crate) const WEBHOOK: &str = "WebhookFunction";
/// What posts events to callback URLs.
pub(crate) const CALLBACK: &str = "CallbackFunction";
