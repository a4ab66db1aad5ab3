//! Tables.

use serde_json::Value;

/// A DynamoDB table.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// Its key in `Resources`.
    pub logical_id: String,
    /// The table's name.
    pub name: String,
    /// The body of the `CreateTable` call.
    pub request: Value,
    /// The attribute that expires items.
    pub ttl_attribute: Option<String>,
}
