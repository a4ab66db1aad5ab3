//! Close's API as far as the functions speak it.

pub mod client;
pub mod entry;
pub mod error;
pub mod json;
pub mod rate_limit;
pub mod search;
pub mod timestamp;
pub mod webhook;
