//! What travels: requests as they are kept, answers, connections and rate limits.

pub(crate) mod answer;
pub(crate) mod connection;
pub mod rate_limit;
pub mod request_log;
