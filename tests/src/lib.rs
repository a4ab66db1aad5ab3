//! The local stack: everything that AWS and Close do around the two functions, on loopback and in one process.
//!
//! [`stack::LocalStack`] puts it together as `template.yaml` says ([`template`]). [`aws`] plays AWS: an embedded DynamoDB
//! ([`aws::dynamodb`]), the bus and its rules ([`aws::eventbridge`]), queues ([`aws::sqs`]), and Lambda, which runs the built
//! function binaries through its Runtime API ([`aws::lambda`]), behind an HTTP API, a schedule and what feeds them from
//! queues. What AWS would measure of all that is in [`aws::cloudwatch`]. [`close`] simulates Close. Tests make both fail, hold
//! an answer back and see what happened ([`control`]).

pub mod aws;
pub mod close;
pub mod control;
pub(crate) mod plumbing;
pub mod stack;
pub mod template;
