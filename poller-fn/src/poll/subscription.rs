//! The webhook subscription of an instance, watched and repaired before each reconciliation.

use std::time::Duration;

use jiff::Timestamp;
use shared::close::client::Account;
use shared::close::webhook::{SubscribedEvent, Subscription, SubscriptionStatus};
use shared::instance::settings::Settings;
use shared::instance::stream::{
    DeliveryStatus, SeenSubscription, Stream, SubscriptionEvent, SubscriptionNotice,
};
use shared::subscription::settle::settle;
use shared::subscription::state::{SubscriptionAtClose, SubscriptionState, refused};
use tokio::time::timeout;

use crate::outside::Outside;
use crate::poll::session::Session;
use crate::poll::summary::SubscriptionResult;

/// How long the status may take, and how long the repair: the reconciliation goes on without.
const WATCHING: Duration = Duration::from_secs(10);
const REPAIRING: Duration = Duration::from_secs(30);
/// Notices that wait for the bus at most. The oldest are dropped.
const MAX_NOTICES: usize = 20;

/// What is wrong with a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Close delivers nothing, and drops what waits.
    Paused,
    /// Close has not got the subscription.
    Missing,
    /// The subscription posts elsewhere, or covers events that are not wanted.
    Different,
    /// Wanted events are not covered, of which Close was not seen to refuse them.
    Lacking,
}

/// What a reconciliation found of its subscription before it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watched {
    /// Whether the subscription delivered nothing until now, so that the log alone has the last entries.
    pub was_down: bool,
    /// What became of it, where it was not what it should be.
    pub result: Option<SubscriptionResult>,
}

/// Close did not say how a subscription is.
struct Unanswered;

/// A subscription to watch.
struct Subject<'a, O> {
    session: &'a Session<'a, O>,
    account: Account<'a>,
    wanted: &'a [SubscribedEvent],
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
    let subject = Subject {
        session,
        account,
        wanted,
    };
    let Ok(found) = subject.find().await else {
        tracing::warn!(instance.id = %session.instance.id, "Close does not say how the subscription is");
        stream.subscription = Some(subject.unknown(before));
        return Watched {
            was_down: stream.is_down(),
            result: stream.is_down().then_some(SubscriptionResult::Down),
        };
    };
    let url = subject.url(found.as_ref());
    let fault = subject.fault(found.as_ref(), url.as_deref(), before.as_ref());
    let found = found.map(|found| SubscriptionAtClose::found("", found, wanted));
    let repaired = match fault {
        Some(fault) => subject.repair(fault, url.as_deref()).await,
        None => None,
    };
    let was_down = matches!(fault, Some(Fault::Paused | Fault::Missing));
    let is_repaired =
        fault.is_some_and(|fault| is_repaired(fault, found.as_ref(), repaired.as_ref()));
    let status = if was_down && !is_repaired {
        DeliveryStatus::Down
    } else {
        DeliveryStatus::Active
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
        pause_reason: found.as_ref().and_then(|found| found.pause_reason.clone()),
        // What is lacking is refused once Close was asked for it, and answered.
        refused: match (repaired, found, fault) {
            (Some(answered), _, _) | (None, Some(answered), None) => answered.refused,
            _ => before
                .as_ref()
                .map(|before| before.refused.clone())
                .unwrap_or_default(),
        },
    };
    note(&mut stream.notices, before.as_ref(), fault, &seen, now);
    stream.subscription = Some(seen);
    let result = if is_repaired {
        Some(SubscriptionResult::Repaired)
    } else {
        stream.is_down().then_some(SubscriptionResult::Down)
    };
    Watched { was_down, result }
}

impl<O: Outside> Subject<'_, O> {
    /// The subscription at Close, if Close has it.
    async fn find(&self) -> Result<Option<Subscription>, Unanswered> {
        let Some(id) = self.session.instance.subscription_id.as_deref() else {
            return Ok(None);
        };
        let found = self.session.outside.subscription(self.account, id);
        match timeout(WATCHING, found).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(_)) | Err(_) => Err(Unanswered),
        }
    }

    /// Where the subscription must post: by the stack's own setting, else as it is stored, else as Close has it.
    fn url(&self, found: Option<&Subscription>) -> Option<String> {
        let instance = &self.session.instance;
        let public_url = self.session.outside.public_url();
        public_url
            .map(|public_url| instance.id.webhook_url(public_url))
            .or_else(|| instance.webhook_url.clone())
            .or_else(|| found.map(|found| found.url.clone()))
            .filter(|url| !url.is_empty())
    }

    fn fault(
        &self,
        found: Option<&Subscription>,
        url: Option<&str>,
        before: Option<&SeenSubscription>,
    ) -> Option<Fault> {
        let Some(found) = found else {
            return Some(Fault::Missing);
        };
        if found.status != SubscriptionStatus::Active.as_str() {
            return Some(Fault::Paused);
        }
        if url.is_some_and(|url| found.posts_elsewhere(url)) || found.covers_more(self.wanted) {
            return Some(Fault::Different);
        }
        let known = before.map_or(&[][..], |before| &before.refused);
        let mut lacking = refused(self.wanted, &found.events).into_iter();
        let is_lacking = lacking.any(|name| !known.contains(&name));
        is_lacking.then_some(Fault::Lacking)
    }

    /// A subscription of which Close says nothing is as down as it was.
    fn unknown(&self, before: Option<SeenSubscription>) -> SeenSubscription {
        let (status, now) = (DeliveryStatus::Unknown, self.session.clock.now());
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

    /// Brings the subscription to what is stored. Returns how it is then, if that is known.
    async fn repair(&self, fault: Fault, url: Option<&str>) -> Option<SubscriptionAtClose> {
        let id = self.session.instance.id;
        tracing::warn!(instance.id = %id, ?fault, "the subscription is not what it should be");
        let url = url?;
        let session = self.session;
        let held = session.outside.subscriptions(&session.lease, session.clock);
        match timeout(REPAIRING, Box::pin(settle(&held, id, url))).await {
            Ok(Ok(settled)) => match settled.subscription {
                Some(SubscriptionState::AtClose(found)) => Some(found),
                _ => None,
            },
            Ok(Err(error)) => {
                error.log(id);
                None
            }
            Err(_elapsed) => {
                tracing::error!(instance.id = %id, "the repair of the subscription takes too long");
                None
            }
        }
    }
}

/// Whether the subscription is now what it should be.
fn is_repaired(
    fault: Fault,
    found: Option<&SubscriptionAtClose>,
    repaired: Option<&SubscriptionAtClose>,
) -> bool {
    repaired.is_some_and(|repaired| match fault {
        Fault::Paused | Fault::Missing => repaired.status == SubscriptionStatus::Active.as_str(),
        Fault::Different => !repaired.is_locked,
        // Close may refuse these events for good.
        Fault::Lacking => found.is_some_and(|found| found.refused != repaired.refused),
    })
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
