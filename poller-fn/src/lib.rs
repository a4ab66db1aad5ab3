//! The polling side: asks Close what changed and publishes it.
//!
//! [`handle`] takes what invokes the function. The schedule invokes it every minute: [`dispatch`](mod@dispatch) puts one
//! `poll.requested` on the bus for each instance that is due. A rule sends each back to the function, and
//! [`poll::poll_instance`] polls that one instance.
//!
//! A record's path is [`poll::worker::Worker::step`], top to bottom: [`poll::read`] asks Close for a page and reads its
//! [`mod@record`]s, [`walk`] makes them a unit, [`poll::judge`] makes each a change and its event, or leaves it, the bus takes
//! what is new ([`poll::publish`]), and [`progress`] is committed. [`outside`] is all that a poll touches.

pub mod app;
pub mod config;
pub mod custom_fields;
pub mod dispatch;
pub mod enlist;
pub mod error;
pub mod handle;
pub mod held;
pub mod outside;
pub mod own_events;
pub mod poll;
pub mod progress;
pub mod record;
pub mod walk;
