//! The local stack: everything that AWS and Close do around the two functions, on loopback and in one process.
//!
//! [`stack::LocalStack`] reads `template.yaml` ([`template`]), creates its tables in an embedded DynamoDB ([`store`]),
//! serves `PutEvents` for its bus ([`bus`]) and SQS for its queues ([`queue`], [`sqs`]), and runs the built function
//! binaries through the Lambda Runtime API ([`function`]), behind an HTTP API, a schedule ([`schedule`]) and what feeds them
//! from queues. What AWS would measure of all that is in [`cloudwatch`]. [`close`] simulates Close.

pub mod access;
mod aws_json;
mod background;
pub mod binaries;
pub mod bus;
mod clock;
pub mod close;
pub mod cloudwatch;
mod delivery;
pub mod fault;
pub mod function;
mod gateway;
pub mod hold;
mod http;
mod ids;
pub mod journal;
mod lineage;
mod mapping;
pub mod queue;
pub mod schedule;
pub mod sdk;
pub mod sqs;
pub mod stack;
pub mod store;
mod sync;
pub mod template;
