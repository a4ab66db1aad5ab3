//! What a Lambda function needs.

pub mod aws;
pub mod clock;
pub mod env;
pub mod logging;
pub mod metrics;
