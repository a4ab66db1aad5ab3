//! What the emulator does not do: refuse a write of an item that a transaction holds.
//!
//! Source: docs.aws.amazon.com/amazondynamodb, "Transaction conflict handling in DynamoDB".

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::dialect::DIALECT;
use crate::plumbing::sync::lock;
use crate::template::specs::table::TableSpec;

const MESSAGE: &str = "Transaction is ongoing for the item";

/// The items that transactions hold.
#[derive(Debug)]
pub(crate) struct Transactions {
    /// The attributes of the key by the name of the table.
    keys: BTreeMap<String, Vec<String>>,
    held: Arc<Mutex<Vec<Item>>>,
}

/// A table's name and a key in it.
type Item = (String, Map<String, Value>);

/// The items of one transaction, until this is dropped.
#[derive(Debug)]
pub(crate) struct HeldItems {
    all: Arc<Mutex<Vec<Item>>>,
    own: Vec<Item>,
}

/// The item is held by another transaction.
#[derive(Debug)]
pub(crate) struct Conflict;

impl Transactions {
    pub(crate) fn of(tables: &[TableSpec]) -> Self {
        let key = |table: &TableSpec| {
            let schema = table.request["KeySchema"].as_array().into_iter().flatten();
            let names = schema.filter_map(|key| key["AttributeName"].as_str());
            (table.name.clone(), names.map(str::to_owned).collect())
        };
        Self {
            keys: tables.iter().map(key).collect(),
            held: Arc::default(),
        }
    }

    /// Has a transaction hold its items, and lets other calls pass, unless a transaction holds what they write.
    pub(crate) fn begin(&self, operation: &str, request: &Value) -> Result<HeldItems, Conflict> {
        let written = self.written(operation, request);
        let mut held = lock(&self.held);
        if written.iter().any(|item| held.contains(item)) {
            return Err(Conflict);
        }
        let own = if operation == "TransactWriteItems" {
            written
        } else {
            Vec::new()
        };
        held.extend(own.iter().cloned());
        Ok(HeldItems {
            all: self.held.clone(),
            own,
        })
    }

    fn written(&self, operation: &str, request: &Value) -> Vec<Item> {
        match operation {
            "PutItem" | "UpdateItem" | "DeleteItem" => vec![self.item(request)],
            "BatchWriteItem" => {
                let tables = request["RequestItems"].as_object().into_iter().flatten();
                let writes = tables.flat_map(|(table, writes)| {
                    let writes = writes.as_array().into_iter().flatten();
                    writes.map(move |write| (table, write))
                });
                let parts = writes.filter_map(|(table, write)| {
                    let (_, part) = write.as_object()?.iter().next()?;
                    Some(self.item_of(table, part))
                });
                parts.collect()
            }
            "TransactWriteItems" => {
                let items = request["TransactItems"].as_array().into_iter().flatten();
                let parts = items.filter_map(Value::as_object).flatten();
                parts.map(|(_, part)| self.item(part)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn item(&self, part: &Value) -> Item {
        self.item_of(part["TableName"].as_str().unwrap_or_default(), part)
    }

    /// Whoever puts an item names its key among the attributes.
    fn item_of(&self, table: &str, part: &Value) -> Item {
        let attributes = part.get("Key").unwrap_or(&part["Item"]);
        let names = self.keys.get(table).into_iter().flatten();
        let key = names.map(|name| (name.clone(), attributes[name].clone()));
        (table.to_owned(), key.collect())
    }
}

impl Drop for HeldItems {
    fn drop(&mut self) {
        lock(&self.all).retain(|item| !self.own.contains(item));
    }
}

/// Whether an operation writes items.
pub(crate) fn is_write(operation: &str) -> bool {
    let writes = [
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "BatchWriteItem",
        "TransactWriteItems",
    ];
    writes.contains(&operation)
}

/// DynamoDB's answer to a write that meets a transaction: a batch is told that nothing was done.
pub(crate) fn answer(operation: &str, request: &Value) -> Response {
    match operation {
        "BatchWriteItem" => {
            let body = json!({"UnprocessedItems": request["RequestItems"]});
            DIALECT.answer(body.to_string())
        }
        "TransactWriteItems" => {
            let items = request["TransactItems"].as_array().map_or(0, Vec::len);
            let reason = json!({"Code": "TransactionConflict", "Message": MESSAGE});
            let codes = vec!["TransactionConflict"; items].join(", ");
            let message = format!(
                "Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
            );
            let body = json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "Message": message,
                "CancellationReasons": vec![reason; items],
            });
            DIALECT.response(StatusCode::BAD_REQUEST, body.to_string())
        }
        _ => {
            let code = "com.amazonaws.dynamodb.v20120810#TransactionConflictException";
            DIALECT.error(StatusCode::BAD_REQUEST, code, MESSAGE)
        }
    }
}
