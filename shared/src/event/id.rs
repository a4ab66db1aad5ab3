//! An event's id.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::event::change::{Change, Identity};
use crate::instance::id::InstanceId;

/// An event's id: the same for one change on every retry, after every crash and on either channel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub [u8; 16]);

impl EventId {
    /// The first 128 bits of SHA-256 over what tells the change from all others.
    pub fn of(instance_id: InstanceId, change: &Change) -> Self {
        let mut parts = vec![
            instance_id.to_string(),
            change.object_type.clone(),
            change.own_id.clone(),
        ];
        match &change.identity {
            Identity::Date => parts.push(change.date.as_microsecond().to_string()),
            Identity::Parts(others) => parts.extend(others.iter().cloned()),
        }
        parts.push(kind_of_change(&change.action).to_owned());
        Self::of_parts(&parts)
    }

    /// The same over any texts. Every part is led by its length, so that no two lists of parts run together.
    pub fn of_parts(parts: &[String]) -> Self {
        let mut sha256 = Sha256::new();
        for part in parts {
            sha256.update((part.len() as u64).to_be_bytes());
            sha256.update(part);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&sha256.finalize()[..16]);
        Self(id)
    }
}

/// Created and updated are one kind, for a poll cannot always tell them apart; `completed` beside the `updated` of the
/// same moment is another.
fn kind_of_change(action: &str) -> &str {
    match action {
        "created" | "updated" => "changed",
        other => other,
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map_err(serde::de::Error::custom)?;
        Ok(Self(id))
    }
}
