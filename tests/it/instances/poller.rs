//! What a poll writes of an instance, without the poll.

use jiff::Timestamp;
use shared::instance::Instance;
use shared::instance::backfill::Backfill;
use shared::instance::health::Health;
use shared::store::error::TableError;
use shared::store::instances::InstanceTable;
use shared::store::instances::lease::{Acquired, Lease};

use crate::owner::Owner;
use crate::world::{World, ago, end_at};

/// A poll that runs.
pub(super) struct Poll<'a> {
    world: &'a World,
    table: InstanceTable,
    lease: Lease,
    /// As the poll has read it.
    pub(super) instance: Instance,
}

impl<'a> Poll<'a> {
    /// Takes the lease.
    pub(super) async fn begin(owner: &Owner<'a>) -> Self {
        let table = owner.world.instance_table();
        let lease = Lease {
            id: owner.id.try_into().unwrap(),
            token: "a test's".to_owned(),
        };
        let acquired = table.acquire(&lease, ago(0), ago(-600)).await.unwrap();
        let Acquired::Held(instance) = acquired else {
            panic!("{acquired:?}")
        };
        Self {
            world: owner.world,
            table,
            lease,
            instance: *instance,
        }
    }

    /// Notes how far a backfill has come.
    pub(super) async fn note(&self, backfill: &Backfill) {
        let note = self.table.note_backfill(&self.lease, backfill).unwrap();
        let item = aws_sdk_dynamodb::types::TransactWriteItem::builder().update(note);
        let client = self.world.stack.store().client();
        let write = client.transact_write_items();
        write.transact_items(item.build()).send().await.unwrap();
    }

    /// Gives the lease back.
    pub(super) async fn end(self, next: Timestamp, health: &Health) -> Result<(), TableError> {
        self.table.release(&self.lease, &end_at(next, health)).await
    }
}

/// Of which everything was refused.
pub(super) async fn refused(owner: &Owner<'_>, times: u32) {
    let health = Health {
        refusals: times,
        reason: Some("leads: Unauthorized".to_owned()),
        ..Health::default()
    };
    let poll = Poll::begin(owner).await;
    poll.end(ago(-3600), &health).await.unwrap();
}

/// When an instance's next poll is due, in milliseconds since 1970.
pub(super) async fn next_poll_at(owner: &Owner<'_>) -> Option<i64> {
    let items = owner.world.items("InstancesTable").await;
    let id = owner.id.to_string();
    let item = items.iter().find(|item| *item["id"].as_n().unwrap() == id);
    let time = item.unwrap().get("nextPollAt")?;
    Some(time.as_n().unwrap().parse().unwrap())
}
