//! Helpers for text: errors in full, similar names, shortened text, times in HTTP headers.

pub mod causes;
pub mod http_time;
pub mod nearest;
pub mod shortened;
