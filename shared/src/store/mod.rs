//! The tables in DynamoDB.

pub mod conflicts;
pub mod error;
pub mod instances;
pub mod ledger;
pub mod retry;
pub mod watermarks;
