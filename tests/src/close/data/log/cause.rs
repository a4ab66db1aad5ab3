//! What a change came from, as the `meta` of its entry in the log tells.

use serde_json::{Value, json};

use crate::close::data::objects::record::{ObjectKind, Record};

/// The request that made a change.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cause<'a> {
    /// An object was created.
    Post(ObjectKind),
    /// This object was changed.
    Put(&'a Record),
    /// This object was deleted, and maybe others with it.
    Delete(&'a Record),
    /// A lead was merged into another.
    Merge {
        source: &'a Record,
        destination: &'a Record,
    },
}

impl Cause<'_> {
    /// The entry's `meta`.
    pub(crate) fn render(&self) -> Value {
        let of =
            |method: &str, path: String| json!({ "request_method": method, "request_path": path });
        match self {
            Self::Post(kind) => of("POST", format!("/api/v1/{}/", kind.path())),
            Self::Put(record) => of("PUT", path(record)),
            Self::Delete(record) => of("DELETE", path(record)),
            Self::Merge {
                source,
                destination,
            } => json!({
                "request_method": "POST",
                "request_path": "/api/v1/lead/merge/",
                "merge_source_lead_id": *source.id,
                "merge_destination_lead_id": *destination.id,
            }),
        }
    }
}

fn path(record: &Record) -> String {
    format!("/api/v1/{}/{}/", record.kind.path(), record.id)
}
