//! What requests and answers have in common, whatever the route, and every reason to refuse one, with its status: those of
//! webhooks too ([`webhook_error`]).

pub mod authorization;
pub mod call;
pub mod error;
pub mod gateway;
pub mod reply;
pub mod route;
pub mod webhook_error;
