//! What every room needs and none is about: HTTP servers, tasks, locks, the clock and identifiers.

pub(crate) mod background;
pub(crate) mod clock;
pub(crate) mod http;
pub(crate) mod ids;
pub(crate) mod sync;
