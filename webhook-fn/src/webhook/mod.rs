//! Close's webhooks: [`receive`] is the path, top to bottom.

pub mod payload;
pub mod receive;
pub mod report;
pub mod signature;
