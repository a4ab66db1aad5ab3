//! What an instance polls: resources, each with a source at Close, a query, and the places of ids and dates in its records.
//!
//! [`field_error`] and [`warnings`] are about any request: the rooms below take them from here.

pub mod ceql;
pub mod date_pattern;
pub mod field_error;
mod members;
pub mod paths;
pub mod poller_configuration;
pub mod query;
pub mod resource;
pub mod unknown;
pub mod urls;
pub mod warnings;
