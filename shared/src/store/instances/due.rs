//! Which instances are due to be polled.

use jiff::Timestamp;

use super::InstanceTable;
use super::attributes::{
    DUE_SINCE, Item, NEXT_POLL_AT, SHARD, SHARD_NAME, integer, number, time, to_id,
};
use super::update::send;
use crate::instance::id::InstanceId;
use crate::store::error::TableError;

/// The sparse index of polled instances: an instance is in it while it has a `shard` and a `nextPollAt`.
const DUE_INDEX: &str = "due";

/// Instances on a page of the due index.
const DUE_PAGE: i32 = 500;

/// An instance whose poll is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Which.
    pub id: InstanceId,
    /// When it is to be dispatched.
    pub next_poll_at: Timestamp,
    /// Since when it waits for its poll: longer, where it was dispatched before and that poll did not end.
    pub since: Timestamp,
}

/// Some of the instances whose poll is due.
#[derive(Debug)]
pub struct DuePage {
    /// The instances.
    pub due: Vec<Due>,
    /// Where to go on, if there may be more.
    pub next: Option<DueCursor>,
}

/// Where a page of due instances ended.
#[derive(Debug)]
pub struct DueCursor(Item);

impl InstanceTable {
    /// A page of the instances of a shard whose poll is due, longest first. The index is a little behind the table, so
    /// go on from the page before instead of asking anew.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn due(
        &self,
        shard: u64,
        now: Timestamp,
        after: Option<DueCursor>,
    ) -> Result<DuePage, TableError> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(DUE_INDEX)
            .limit(DUE_PAGE);
        let query = query
            .key_condition_expression("#shard = :shard AND nextPollAt <= :now")
            .expression_attribute_names(SHARD_NAME, SHARD)
            .expression_attribute_values(":shard", number(shard))
            .expression_attribute_values(":now", time(now))
            .set_exclusive_start_key(after.map(|DueCursor(key)| key));
        let output = query.send().await.map_err(TableError::unavailable)?;
        let due = output
            .items()
            .iter()
            .map(to_due)
            .collect::<Result<_, _>>()?;
        Ok(DuePage {
            due,
            next: output.last_evaluated_key.map(DueCursor),
        })
    }

    /// Moves a due instance's next poll, unless somebody else has moved it.
    ///
    /// # Errors
    /// [`TableError::Conflict`] when somebody has.
    pub async fn defer(&self, due: Due, until: Timestamp) -> Result<(), TableError> {
        let update = self.update(due.id).update_expression(
            "SET nextPollAt = :until, dueSince = if_not_exists(dueSince, :read)",
        );
        let update = update
            .condition_expression("nextPollAt = :read")
            .expression_attribute_values(":until", time(until))
            .expression_attribute_values(":read", time(due.next_poll_at));
        send(update).await
    }
}

fn to_due(item: &Item) -> Result<Due, TableError> {
    let time = |key| Timestamp::from_millisecond(integer(item, key)?).ok();
    let next_poll_at = time(NEXT_POLL_AT).ok_or_else(|| {
        TableError::Malformed("an entry of the index `due` has no nextPollAt".to_owned())
    })?;
    Ok(Due {
        id: to_id(item)?,
        next_poll_at,
        since: time(DUE_SINCE).unwrap_or(next_poll_at),
    })
}
