//! An instance's webhook subscription at Close.

pub mod offer;
pub mod state;
