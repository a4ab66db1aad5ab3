//! Time: the clock, spans, and the ways in which Close writes a moment.

pub(crate) mod clock;
pub(crate) mod span;
pub(crate) mod stamp;
