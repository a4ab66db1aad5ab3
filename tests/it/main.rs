//! What the built functions do, driven as AWS and Close drive them.

#![expect(
    clippy::unwrap_used,
    reason = "in a test a panic is the report, also in what several tests share"
)]

mod agreement;
mod callbacks;
mod close;
mod consume;
mod cost;
mod forgeries;
mod functions;
mod fuzz;
mod hostile;
mod instances;
mod listing;
mod metric_lines;
mod metrics;
mod openapi;
mod owner;
mod polling;
mod privileges;
mod races;
mod rotation;
mod routes;
mod security;
mod stream;
mod subscription;
mod template;
mod transactions;
mod webhook;
mod world;
