//! The API: routes, and what is answered on each.

pub(crate) mod auth;
pub(crate) mod events;
pub(crate) mod lists;
pub(crate) mod parameters;
pub(crate) mod routes;
pub(crate) mod search;
pub(crate) mod server;
pub(crate) mod setup;
pub(crate) mod webhooks;
