//! What requests need of an instance's subscription beside [`shared::subscription`]: [`plan`] decides what a change means for it,
//! [`reach`] is what a request works on.

pub mod plan;
pub mod reach;
