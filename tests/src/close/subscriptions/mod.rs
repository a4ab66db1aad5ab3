//! Webhook subscriptions: what they ask for, and how the attempts at their deliveries went.

pub mod attempt;
pub(crate) mod extra_filter;
pub(crate) mod subscription;
