//! The polling side: asks Close what changed and publishes it.
//!
//! The schedule invokes the function every minute and [`dispatch`] puts one `poll.requested` on the bus for each
//! instance that is due. A rule sends each back to the function, and [`poll::poll_instance`] polls that one instance.
//!
//! What it has to do is one or more [`job`]s ([`plan`]): a [`walk`] through one source of Close's, for the resources that
//! it feeds, each from its [`watermark`] on. The [`work`] on them goes a unit at a time: read it
//! ([`reading`]), with the [`custom_fields`] that one request or several [`batches`] ask for, make each record a change
//! ([`mod@record`]), publish what was not published before, commit. [`outcome`] says how the instance fares and when it is
//! polled next, [`mod@report`] what is seen of it from outside. [`outside`] is all that a poll touches.

pub mod batches;
pub mod config;
pub mod custom_fields;
pub mod dispatch;
pub mod error;
pub mod fetch;
pub mod invocation;
pub mod job;
pub mod notice;
pub mod outcome;
pub mod outside;
pub mod plan;
pub mod poll;
pub mod reading;
pub mod record;
pub mod report;
pub mod schedule;
pub mod seen;
pub mod walk;
pub mod watermark;
pub mod work;
