//! SQS: queues, and the service that functions call them by.

pub(crate) mod lineage;
pub mod queue;
pub mod service;
