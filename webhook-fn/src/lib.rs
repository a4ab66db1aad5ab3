//! The HTTP side: takes Close's webhooks and serves the instance API.
//!
//! [`gateway`] makes sure that a request can be taken, and [`app`] finds its [`route`]. A webhook's path is
//! [`receive::receive`], top to bottom: the id in the URL names the instance, the signature is checked over the raw bytes,
//! the body becomes changes ([`payload`]) and these events, what the ledger knows is left out, the rest is published, and
//! only then does Close get its 200. [`mod@report`] is what is measured of it. [`instances`] has a file a verb.
//!
//! [`callback`] is another function, `callback-fn`: it delivers events to callback URLs.

pub mod app;
pub mod authorization;
pub mod callback;
pub mod config;
pub mod error;
pub mod gateway;
pub mod instance_cache;
pub mod instances;
pub mod ledger_table;
pub mod offer;
pub mod payload;
pub mod receive;
pub mod reply;
pub mod report;
pub mod route;
pub mod signature;
pub mod subscription;
