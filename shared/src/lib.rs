//! What the functions of closeio-events share, in rooms. Each room uses only those above it.
//!
//! - [`json`] and [`text`]: foreign text, read safely.
//! - [`close`]: Close's API, its wire and its client.
//! - [`polling`]: what an instance polls, as its owner configured it.
//! - [`instance`]: a connection to one Close organization, its settings and its state.
//! - [`function`]: what a Lambda function needs: environment, clock, logging, metrics, AWS.
//! - [`event`]: a change and its event, and [`event::bus`], which publishes it.
//! - [`store`]: the tables in DynamoDB.
//! - [`subscription`]: an instance's webhook subscription at Close.
//!
//! Three adapters do I/O: [`event::bus`], [`store`] and [`close::client`]. Only [`function::env`] reads the environment, and only
//! [`function::clock`] the time.

pub mod close;
pub mod event;
pub mod function;
pub mod instance;
pub mod json;
pub mod polling;
pub mod store;
pub mod subscription;
pub mod text;
