//! An instance's webhook subscription at Close: [`plan`] decides what a change means for it, and the rest does that.

pub mod at_close;
pub mod describe;
pub mod error;
pub mod plan;
pub mod removal;
