//! What tests have in hand: faults, holds, and journals of what happened.

pub mod fault;
pub mod hold;
pub mod journal;
