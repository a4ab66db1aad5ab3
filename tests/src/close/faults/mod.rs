//! Faults on demand: which requests, and what happens to them.

pub mod fault;
pub mod hold;
pub(crate) mod planned;
pub mod request_match;
