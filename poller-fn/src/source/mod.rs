//! Where records come from, oldest first.

pub mod search;
