//! Close's API as far as the functions speak it.

pub mod base_url;
pub mod client;
pub mod custom_fields;
pub mod error;
pub mod event_log;
pub mod list;
pub mod object_type;
pub mod page;
pub mod rate_limit;
pub mod search;
pub mod span;
pub mod timestamp;
pub mod webhook;
pub mod webhook_filter;
