//! The AWS that the stack plays, a room for each service.

pub(crate) mod apigateway;
pub mod cloudwatch;
pub mod dynamodb;
pub mod eventbridge;
pub mod iam;
pub(crate) mod json_protocol;
pub mod lambda;
pub mod sdk;
pub mod sqs;
