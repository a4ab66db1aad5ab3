//! Close's webhooks: [`receive`] is the path, top to bottom.

pub mod deliver;
pub mod outlet;
pub mod payload;
pub mod recall;
pub mod receive;
pub mod report;
pub mod signature;
