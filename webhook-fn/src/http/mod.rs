//! What requests and answers have in common, whatever the route.

pub mod authorization;
pub mod call;
pub mod error;
pub mod gateway;
pub mod reply;
pub mod route;
pub mod webhook_error;
