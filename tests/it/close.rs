//! The simulated Close, held against what was recorded of the real one.

mod asked;
pub(crate) mod export;
mod recorded;
mod served;
mod shape;
