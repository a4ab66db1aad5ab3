//! The event log: entries, what caused them, and the events that there are.

pub(crate) mod cause;
pub(crate) mod entry;
pub(crate) mod event_log;
pub(crate) mod event_types;
