//! The attributes of an item, read and written.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use crate::instance::id::InstanceId;
use crate::store::error::TableError;

pub(super) type Item = HashMap<String, AttributeValue>;

/// `shard` is a reserved word of DynamoDB's, so expressions name it by a placeholder.
pub(super) const SHARD: &str = "shard";
pub(super) const SHARD_NAME: &str = "#shard";

/// When the poll of an instance is due: the sort key of the index `due`.
pub(super) const NEXT_POLL_AT: &str = "nextPollAt";

/// When an instance was last changed in a way that a poll which runs does not know of; gone with the next lease.
pub(super) const CHANGED_AT: &str = "changedAt";

/// Since when an instance has been due, where it was dispatched and no poll of it has ended yet. The index `due` includes it.
pub(super) const DUE_SINCE: &str = "dueSince";

/// Partitions of the index `due`, so that no single one takes all writes. Ids are random, so their remainders spread.
pub const SHARDS: u64 = 16;

pub(super) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Times are kept as milliseconds since 1970, which sort as numbers.
pub(super) fn time(time: Timestamp) -> AttributeValue {
    AttributeValue::N(time.as_millisecond().to_string())
}

pub(super) fn integer(item: &Item, key: &str) -> Option<i64> {
    item.get(key)?.as_n().ok()?.parse().ok()
}

pub(super) fn to_id(item: &Item) -> Result<InstanceId, TableError> {
    let id = || u64::try_from(integer(item, "id")?).ok()?.try_into().ok();
    id().ok_or_else(|| TableError::Malformed("an instance has no id".to_owned()))
}

/// The partition of the index `due` that an instance is in.
pub(super) fn shard(id: InstanceId) -> AttributeValue {
    number(u64::from(id) % SHARDS)
}
