//! The webhook subscription of an instance, watched and repaired before each reconciliation.

use std::fmt::Display;
use std::time::Duration;

use jiff::Timestamp;
use shared::close::client::Account;
use shared::close::webhook::{SubscribedEvent, Subscription, SubscriptionStatus};
use shared::instance::id::InstanceId;
use shared::instance::settings::Settings;
use shared::instance::stream::{
    DeliveryStatus, SeenSubscription, Stream, SubscriptionEvent, SubscriptionNotice,
};
use shared::instance::{Instance, Phase};
use shared::subscription::outside::Webhooks as _;
use shared::subscription::settle::settle;
use shared::subscription::state::{SubscriptionState, refused};
use tokio::time::timeout;

use crate::outside::Outside;
use crate::poll::session::Session;
use crate::poll::summary::SubscriptionResult;

/// Timeouts of a request for the status, and of a repair. After a timeout the reconciliation goes on.
const WATCHING: Duration = Duration::from_secs(10);
const REPAIRING: Duration = Duration::from_secs(30);
/// Notices that wait for the bus at most. The oldest are dropped.
const MAX_NOTICES: usize = 20;

/// A fault of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Close delivers nothing, and drops what waits.
    Paused,
    /// Close has not got the subscription.
    Missing,
    /// The subscription posts elsewhere, or covers events that are not wanted.
    Different,
    /// The subscription lacks wanted events that Close has not refused.
    Lacking,
}

/// The state of the subscription when the reconciliation begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watched {
    /// Whether the subscription delivered nothing until now, so that the log alone has the last entries.
    pub was_down: bool,
    /// The result of the repair, if the subscription had a fault.
    pub result: Option<SubscriptionResult>,
}

/// A subscription as Close shows it.
struct Found {
    fault: Option<Fault>,
    /// The URL that it must post to, if that is known.
    url: Option<String>,
    pause_reason: Option<String>,
    /// The wanted events that it does not cover.
    refused: Vec<String>,
}

/// A subscription to watch.
struct Subject<'a, O, H> {
    session: &'a Session<'a, O>,
    /// The access of whoever holds the lease.
    held: &'a H,
    account: Account<'a>,
    wanted: &'a [SubscribedEvent],
}

/// The result of an attempt to repair a subscription.
enum Repair {
    /// Close and the table have answered: what is wrong now, and the wanted events that Close has refused.
    Answered(Option<Fault>, Vec<String>),
    /// Something did not answer, or the URL is not known.
    Failed,
    /// The owner has changed the instance meanwhile: the next poll, which is due at once, looks again.
    Overtaken,
}

/// Notes in `stream` how the subscription is at Close and what there is to say of that, and makes the subscription what it should
/// be. What Close answers never stops the reconciliation.
pub async fn watch<O: Outside>(
    session: &Session<'_, O>,
    account: Account<'_>,
    settings: &Settings,
    stream: &mut Stream,
) -> Watched {
    let before = stream.subscription.take();
    let Some(wanted) = settings.subscription.as_deref() else {
        return Watched::default();
    };
    let known = before.as_ref().map(|before| before.refused.clone());
    let known = known.unwrap_or_default();
    let held = session.outside.subscriptions(&session.lease, session.clock);
    let subject = Subject {
        session,
        held: &held,
        account,
        wanted,
    };
    let Some(found) = subject.find(&session.instance, &known).await else {
        stream.subscription = Some(unknown(before, session.clock.now()));
        let is_down = stream.is_down();
        return Watched {
            was_down: is_down,
            result: is_down.then_some(SubscriptionResult::Down),
        };
    };
    let fault = found.fault;
    let (after, refused) = match fault {
        None => (None, found.refused.clone()),
        Some(fault) => match subject.repair(fault, found.url.as_deref()).await {
            Repair::Answered(after, refused) => (after, refused),
            Repair::Failed => (Some(fault), known),
            Repair::Overtaken => {
                stream.subscription = before;
                return Watched::default();
            }
        },
    };
    let is_repaired = match fault {
        None => false,
        Some(Fault::Lacking) => after.is_none() && refused != found.refused,
        Some(_) => after.is_none(),
    };
    let status = if after.is_none_or(Fault::lets_deliver) {
        DeliveryStatus::Active
    } else {
        DeliveryStatus::Down
    };
    let now = session.clock.now();
    let seen = SeenSubscription {
        status,
        since: match &before {
            Some(before) if before.status == status && !is_repaired => before.since,
            _ => now,
        },
        last_active: match status {
            DeliveryStatus::Active => Some(now),
            _ => before.as_ref().and_then(|before| before.last_active),
        },
        pause_reason: found.pause_reason,
        refused,
    };
    note(&mut stream.notices, before.as_ref(), fault, &seen, now);
    stream.subscription = Some(seen);
    let result = if is_repaired {
        Some(SubscriptionResult::Repaired)
    } else {
        stream.is_down().then_some(SubscriptionResult::Down)
    };
    Watched {
        was_down: !fault.is_none_or(Fault::lets_deliver),
        result,
    }
}

impl Fault {
    /// Whether Close delivers all the same.
    fn lets_deliver(self) -> bool {
        matches!(self, Self::Different | Self::Lacking)
    }
}

impl<O: Outside, H: shared::subscription::outside::Outside> Subject<'_, O, H> {
    /// How the subscription of the instance is at Close, if Close says so.
    async fn find(&self, instance: &Instance, known: &[String]) -> Option<Found> {
        let Some(id) = instance.subscription_id.as_deref() else {
            return Some(self.judge(instance, None, known));
        };
        let found = self.held.close().webhook(self.account, id);
        let found = timeout(WATCHING, found).await;
        let error = match found {
            Ok(Ok(found)) => return Some(self.judge(instance, found, known)),
            Ok(Err(error)) => error.to_string(),
            Err(elapsed) => elapsed.to_string(),
        };
        tracing::warn!(instance.id = %instance.id, error, "Close does not say how the subscription is");
        None
    }

    /// Finds the fault of a subscription. The `known` events, which Close has refused before, may be lacking.
    fn judge(&self, instance: &Instance, found: Option<Subscription>, known: &[String]) -> Found {
        let url = self.url(instance);
        let Some(found) = found else {
            return Found {
                fault: Some(Fault::Missing),
                url,
                pause_reason: None,
                refused: Vec::new(),
            };
        };
        let refused = refused(self.wanted, &found.events);
        let is_elsewhere = url.as_ref().is_some_and(|url| found.posts_elsewhere(url));
        let fault = if found.status != SubscriptionStatus::Active.as_str() {
            Some(Fault::Paused)
        } else if is_elsewhere || found.covers_more(self.wanted) {
            Some(Fault::Different)
        } else if refused.iter().any(|name| !known.contains(name)) {
            Some(Fault::Lacking)
        } else {
            None
        };
        let shown = Some(found.url).filter(|url| !url.is_empty());
        Found {
            fault,
            // Of a subscription that an earlier version has made, Close alone knows the URL.
            url: url.or(shown),
            pause_reason: found.pause_reason,
            refused,
        }
    }

    /// Where the subscription must post: by the stack's own setting, else as it is stored. An earlier version has stored nothing.
    fn url(&self, instance: &Instance) -> Option<String> {
        let public_url = self.session.outside.public_url();
        public_url
            .map(|public_url| instance.id.webhook_url(public_url))
            .or_else(|| instance.webhook_url.clone())
    }

    /// Brings the subscription to what is stored, and looks again: Close may answer 200 and leave a subscription as it is.
    async fn repair(&self, fault: Fault, url: Option<&str>) -> Repair {
        let session = self.session;
        let id = session.instance.id;
        tracing::warn!(instance.id = %id, ?fault, "the subscription is not what it should be");
        let Some(url) = url else {
            tracing::warn!(instance.id = %id, "the webhook URL is not known, so that the subscription is not repaired: set PublicUrl");
            return Repair::Failed;
        };
        let held = self.held;
        match held.get(id).await {
            Ok(Some(stored)) if stored.version == session.instance.version => {}
            Ok(_) => return Repair::Overtaken,
            Err(error) => return failed(id, &error),
        }
        let settled = match timeout(REPAIRING, Box::pin(settle(held, id, url))).await {
            Ok(Ok(settled)) => settled,
            Ok(Err(error)) => return failed(id, &error),
            Err(elapsed) => return failed(id, &elapsed),
        };
        let refused = match settled.subscription {
            Some(SubscriptionState::AtClose(answered)) => {
                if answered.is_locked {
                    tracing::warn!(instance.id = %id, "Close lets only an admin or the user who made this subscription change it, and the API key is another user's");
                }
                answered.refused
            }
            _ => Vec::new(),
        };
        let stored = match held.get(id).await {
            Ok(Some(stored)) if !stored.disabled && stored.phase == Phase::Ready => stored,
            Ok(_) => return Repair::Overtaken,
            Err(error) => return failed(id, &error),
        };
        match self.find(&stored, &refused).await {
            Some(found) => Repair::Answered(found.fault, refused),
            None => Repair::Failed,
        }
    }
}

fn failed(id: InstanceId, error: &dyn Display) -> Repair {
    tracing::error!(instance.id = %id, %error, "the subscription at Close may differ from the instance's");
    Repair::Failed
}

/// A subscription of which Close says nothing is as down as it was.
fn unknown(before: Option<SeenSubscription>, now: Timestamp) -> SeenSubscription {
    let status = DeliveryStatus::Unknown;
    match before {
        Some(before) if before.status != DeliveryStatus::Active => before,
        Some(before) => SeenSubscription {
            status,
            since: now,
            ..before
        },
        None => SeenSubscription::new(status, now),
    }
}

/// Notes what there is to say of a subscription that is as `seen` now.
fn note(
    notices: &mut Vec<SubscriptionNotice>,
    before: Option<&SeenSubscription>,
    fault: Option<Fault>,
    seen: &SeenSubscription,
    now: Timestamp,
) {
    let was_down = before.is_some_and(|before| before.status == DeliveryStatus::Down);
    let is_down = seen.status == DeliveryStatus::Down;
    let paused = (fault == Some(Fault::Paused) && !was_down).then_some(SubscriptionEvent::Paused);
    let other = match fault {
        Some(Fault::Paused | Fault::Missing) if is_down => {
            (!was_down).then_some(SubscriptionEvent::Down)
        }
        Some(Fault::Missing) => Some(SubscriptionEvent::Recreated),
        Some(Fault::Paused) => Some(SubscriptionEvent::Resumed),
        Some(Fault::Different | Fault::Lacking) | None => {
            was_down.then_some(SubscriptionEvent::Resumed)
        }
    };
    let notice = |event| SubscriptionNotice {
        event,
        pause_reason: seen.pause_reason.clone(),
        from: before.and_then(|before| before.last_active),
        to: now,
    };
    notices.extend(paused.into_iter().chain(other).map(notice));
    let excess = notices.len().saturating_sub(MAX_NOTICES);
    notices.drain(..excess);
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use shared::instance::stream::{DeliveryStatus, SeenSubscription, SubscriptionEvent};

    use super::{Fault, MAX_NOTICES, note};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn seen(status: DeliveryStatus) -> SeenSubscription {
        SeenSubscription {
            last_active: Some(at(1)),
            ..SeenSubscription::new(status, at(2))
        }
    }

    #[test]
    fn each_change_is_said_once() {
        use DeliveryStatus::{Active, Down, Unknown};
        use SubscriptionEvent::{Paused, Recreated, Resumed};
        let said = |before: Option<DeliveryStatus>, fault, after| {
            let mut notices = Vec::new();
            let before = before.map(seen);
            note(&mut notices, before.as_ref(), fault, &seen(after), at(3));
            notices
                .into_iter()
                .map(|notice| notice.event)
                .collect::<Vec<_>>()
        };
        for before in [None, Some(Active), Some(Unknown)] {
            assert_eq!(said(before, None, Active), []);
            assert_eq!(said(before, Some(Fault::Different), Active), []);
            assert_eq!(said(before, Some(Fault::Paused), Active), [Paused, Resumed]);
            assert_eq!(
                said(before, Some(Fault::Paused), Down),
                [Paused, SubscriptionEvent::Down]
            );
            assert_eq!(said(before, Some(Fault::Missing), Active), [Recreated]);
            assert_eq!(
                said(before, Some(Fault::Missing), Down),
                [SubscriptionEvent::Down]
            );
        }
        for fault in [Fault::Paused, Fault::Missing] {
            assert_eq!(said(Some(Down), Some(fault), Down), []);
        }
        assert_eq!(said(Some(Down), None, Active), [Resumed]);
        assert_eq!(said(Some(Down), Some(Fault::Paused), Active), [Resumed]);
        assert_eq!(said(Some(Down), Some(Fault::Missing), Active), [Recreated]);
    }

    #[test]
    fn what_waits_for_the_bus_is_bounded_and_says_since_when() {
        let mut notices = Vec::new();
        for second in 0..100 {
            let (before, after) = (seen(DeliveryStatus::Active), seen(DeliveryStatus::Active));
            let fault = Some(Fault::Missing);
            note(&mut notices, Some(&before), fault, &after, at(second));
        }
        assert_eq!(notices.len(), MAX_NOTICES);
        let last = notices.last().unwrap();
        assert_eq!((last.from, last.to), (Some(at(1)), at(99)));
    }
}
