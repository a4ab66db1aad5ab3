//! The polling side: asks Close what changed and publishes it.
//!
//! The schedule invokes the function every minute and [`dispatch`] puts one `poll.requested` on the bus for each
//! instance that is due. A rule sends each back to the function, and [`poll::poll_instance`] polls that one instance:
//! it takes the instance's lease, and per resource it reads [`source`] from the [`watermark`] on, a page at a time,
//! makes each record a change ([`record`]), publishes what it has not published before, and commits.

pub mod config;
pub mod dispatch;
pub mod error;
pub mod fetch;
pub mod invocation;
pub mod poll;
pub mod record;
pub mod schedule;
pub mod seen;
pub mod source;
pub mod watermark;
