//! Lambda: functions, what invokes them without waiting, and what feeds them from queues.

pub(crate) mod asynchronous;
pub(crate) mod environment;
pub mod function;
pub mod invocation;
pub(crate) mod mapping;
pub(crate) mod process;
pub(crate) mod runtime_api;
pub(crate) mod sandbox;
pub(crate) mod targets;
