//! Lists that are answered page by page, with their filters and orders.

pub(crate) mod activities;
pub(crate) mod lead_query;
pub(crate) mod list;
pub(crate) mod opportunities;
pub(crate) mod selection;
pub(crate) mod tasks;
