//! The fields of the configuration, as errors name them.

/// The Close API key.
pub const USERNAME: &str = "username";
/// Close's API.
pub const BASE_URL: &str = "base.url";
/// Whether events are wanted.
pub const ENABLED: &str = "event.notification.enabled";
/// Where notifications go.
pub const CALLBACK_URL: &str = "event.notification.callback.url";
/// Headers of notifications, a JSON object.
pub const CALLBACK_HEADERS: &str = "event.notification.callback.headers";
/// Who sends notifications, for Basic authentication.
pub const BASIC_USERNAME: &str = "event.notification.basic.username";
/// Its password.
pub const BASIC_PASSWORD: &str = "event.notification.basic.password";
/// What notifications are signed with.
pub const NOTIFICATION_KEY: &str = "event.notification.signature.key";
/// `webhook` for callbacks, `eventbridge` for rules alone.
pub const NOTIFICATION_TYPE: &str = "event.notification.type";
/// `polling` or `webhook`.
pub const VENDOR_TYPE: &str = "event.vendor.type";
/// Minutes between polls.
pub const REFRESH_INTERVAL: &str = "event.poller.refresh_interval";
/// Whether events hold what Close sent.
pub const RAW_ENABLED: &str = "event.raw.enabled";
/// Where the first poll starts.
pub const POLLER_START: &str = "event.poller.start";
/// The key with which Close signs its webhooks, in hex.
pub const SIGNATURE_KEY: &str = "event.webhook.signature.key";
/// Whether to subscribe at Close.
pub const SUBSCRIBE: &str = "event.webhook.subscribe";
/// Whether to reconcile webhooks with Close's event log.
pub const RECONCILE: &str = "event.webhook.reconcile";
/// Minutes between reconciliations.
pub const RECONCILE_INTERVAL: &str = "event.webhook.reconcile.interval";
/// Seconds in which deliveries come before a reconciliation reads their entries.
pub const SETTLE: &str = "event.webhook.settle";
/// What to subscribe to.
pub const OBJECTS: &str = "event.objects";
/// What Close is to keep back of that, a JSON object of its filters.
pub const EXTRA_FILTER: &str = "event.webhook.extra_filter";
