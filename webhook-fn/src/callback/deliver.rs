//! Delivers a batch of messages.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};
use shared::instance::id::InstanceId;

use super::batch::{Batch, Notice};
use super::disposition::{Disposition, Ended, Handled};
use super::event::Published;
use super::instance_delivery::deliver_to;
use super::message::Message;
use super::outside::Outside;
use super::reason::Reason;

/// Delivers a batch, the notifications of each instance beside those of the others.
pub async fn deliver<'a, O: Outside>(batch: Batch<'_, O>, messages: &'a [Message]) -> Handled<'a> {
    let (notices, poison) = sort_out(messages);
    let delivering = notices
        .iter()
        .map(async |(id, notices)| (*id, deliver_to(batch, *id, notices).await));
    let giving_up = poison.into_iter().map(|message| give_up(batch, message));
    let (instances, nobodys) = join(join_all(delivering), join_all(giving_up)).await;
    Handled { instances, nobodys }
}

/// The notices of each instance in their order, and the messages that are not events.
fn sort_out(messages: &[Message]) -> (BTreeMap<InstanceId, Vec<Notice<'_>>>, Vec<&Message>) {
    let mut notices: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut poison = Vec::new();
    for message in messages {
        match Published::parse(&message.body) {
            Some(published) => {
                let of_instance = notices.entry(published.event.instance_id).or_default();
                of_instance.push(Notice { message, published });
            }
            None => poison.push(message),
        }
    }
    (notices, poison)
}

async fn give_up<'a, O: Outside>(batch: Batch<'_, O>, message: &'a Message) -> Ended<'a> {
    let reason = Reason::NotAnEvent;
    let disposition = match batch.outside.give_up(message, reason).await {
        Ok(()) => {
            tracing::warn!(message.id, %reason, "a message was given up");
            Disposition::Dead
        }
        Err(error) => {
            tracing::error!(message.id, %error, "a message could not be given up");
            Disposition::Kept
        }
    };
    Ended {
        message,
        published: None,
        disposition,
    }
}
