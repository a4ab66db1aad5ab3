//! How far the polling of a resource has come, and what it has published lately.

pub mod seen;
pub mod watermark;
