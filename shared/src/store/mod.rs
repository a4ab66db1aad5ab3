//! The tables in DynamoDB.

pub mod batch;
pub mod conflicts;
pub mod error;
pub mod instances;
pub mod ledger;
pub mod retry;
pub mod round;
pub mod watermarks;
