//! What the built functions do, driven as AWS and Close drive them.

#![expect(
    clippy::unwrap_used,
    reason = "in a test a panic is the report, also in what several tests share"
)]

mod instances;
mod polling;
mod template;
mod webhook;
mod world;
