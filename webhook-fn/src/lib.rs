//! The HTTP side: takes Close's webhooks and serves the instance API.
//!
//! [`http::gateway`] makes sure that a request can be taken, [`mod@handle`] finds its [`http::route`] and calls its handler. A
//! webhook's path is [`webhook::receive`], top to bottom. [`instances`] has a file a verb;
//! [`subscription`] is what a change means for what an instance has at Close, and [`conflicts`] tries a change again that another
//! overtook. [`app`] is what handlers work with.
//!
//! [`callback`] is another function, `callback-fn`: it delivers events to callback URLs.

pub mod app;
pub mod callback;
pub mod config;
pub mod conflicts;
pub mod handle;
pub mod http;
pub mod instance_cache;
pub mod instances;
pub mod subscription;
pub mod webhook;
