//! A model of Close: objects with all their versions, and the log of their changes.
//!
//! It keeps what was true, so that the proof need not ask the poller.

pub(crate) mod change;
mod cursor;
pub(crate) mod entry;
mod list;
pub(crate) mod log;
pub(crate) mod render;
pub(crate) mod requests;
mod search;
pub(crate) mod state;
pub(crate) mod webhooks;
