//! What Close stores: organizations, their objects and their event logs.

pub mod change;
pub(crate) mod ids;
pub(crate) mod log;
pub(crate) mod moment;
pub(crate) mod objects;
pub(crate) mod tenant;
pub(crate) mod time;
pub(crate) mod user;
