//! The instance API, a file a verb.

pub mod create;
pub mod delete;
pub mod read;
pub mod request;
pub mod view;
