//! What makes specifications of resources, a file for each kind.

pub(crate) mod archives;
pub(crate) mod events;
pub(crate) mod functions;
pub(crate) mod mappings;
pub(crate) mod permissions;
pub(crate) mod queues;
pub(crate) mod retry_limits;
pub(crate) mod roles;
pub(crate) mod secrets;
pub(crate) mod tables;
pub(crate) mod triggers;
