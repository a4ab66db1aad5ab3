//! The proof that webhooks and reconciliations are one stream: Close delivers, loses, delays and repeats webhooks, pauses and drops
//! the subscription; webhook-fn's own protocol takes what is delivered, and the poll itself reconciles.

pub(crate) mod days;
mod delivery;
mod judge;
mod outlet;
pub(crate) mod play;
pub(crate) mod story;
