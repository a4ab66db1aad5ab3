//! Webhook deliveries: signed, posted and retried.

pub(crate) mod delivery;
pub(crate) mod post;
pub(crate) mod signature;
