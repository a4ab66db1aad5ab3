//! The events that a subscription is asked for, without those that Close refuses.

use std::collections::BTreeSet;

use crate::close::error::CloseError;
use crate::close::webhook::{self, SubscribedEvent};

/// Refusals after which Close is asked again. A request to webhook-fn has 10 s.
const MAX_REFUSALS: usize = 12;

/// Events, narrowed with each refusal that names some of them.
#[derive(Debug)]
struct Offer {
    events: Vec<SubscribedEvent>,
    refusals: usize,
}

impl Offer {
    /// An offer of all of `events`.
    fn new(events: &[SubscribedEvent]) -> Self {
        Self {
            events: events.to_vec(),
            refusals: 0,
        }
    }

    /// Leaves out the events that Close has refused by name, and the whole type unless the action is new: Close does not know the type
    /// then, and would name its other events one by one. Returns whether to ask again.
    fn narrow(&mut self, error: &CloseError) -> bool {
        let CloseError::Rejected {
            status: 400,
            message,
        } = error
        else {
            return false;
        };
        let refused = webhook::refused(message, &self.events);
        let named = refused.iter().filter_map(|at| self.events.get(*at));
        let named = named.filter(|event| !event.is_new_action());
        let types: BTreeSet<_> = named.map(|event| event.object_type.as_str()).collect();
        let others = self.events.iter().enumerate();
        let others = others.filter(|(at, event)| {
            !refused.contains(at) && !types.contains(event.object_type.as_str())
        });
        let others: Vec<_> = others.map(|(_, event)| event.clone()).collect();
        if refused.is_empty() || others.is_empty() || self.refusals == MAX_REFUSALS {
            return false;
        }
        self.refusals += 1;
        self.events = others;
        true
    }
}

/// Asks Close for `events`, and again without those that Close refuses by name.
///
/// # Errors
/// As [`CloseError`] says, where Close refuses all of them or something else.
pub async fn ask<T, F>(
    events: &[SubscribedEvent],
    ask: impl Fn(Vec<SubscribedEvent>) -> F,
) -> Result<T, CloseError>
where
    F: Future<Output = Result<T, CloseError>>,
{
    let mut offer = Offer::new(events);
    loop {
        match ask(offer.events.clone()).await {
            Err(error) if offer.narrow(&error) => {}
            answered => return answered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_REFUSALS, Offer};
    use crate::close::error::CloseError;
    use crate::instance::settings::objects;

    fn refusal(message: &str) -> CloseError {
        CloseError::Rejected {
            status: 400,
            message: message.to_owned(),
        }
    }

    fn offer(objects: &str) -> Offer {
        Offer::new(&objects::events(Some(objects)).unwrap())
    }

    fn names(offer: &Offer) -> Vec<String> {
        let events = offer.events.iter();
        let names = events.map(|event| format!("{}.{}", event.object_type, event.action));
        names.collect()
    }

    #[test]
    fn what_close_refuses_is_left_out_with_its_type_unless_the_action_is_new() {
        let mut offer = offer("group,group.disbanded,task.voicemail,task.lead");
        assert!(offer.narrow(&refusal("Invalid: group.disbanded")));
        assert_eq!(offer.events.len(), 11);
        assert!(offer.narrow(&refusal("Invalid: task.voicemail.completed")));
        assert!(offer.narrow(&refusal("Invalid: task.lead.completed")));
        assert_eq!(
            names(&offer),
            ["group.created", "group.deleted", "group.updated"]
        );
    }

    #[test]
    fn other_refusals_and_one_of_all_narrow_nothing() {
        let mut offer = offer("task.voicemail");
        assert!(!offer.narrow(&refusal("the URL is bad")));
        assert!(!offer.narrow(&refusal("Invalid: task.voicemail")));
        assert!(!offer.narrow(&CloseError::Unavailable(
            "task.voicemail.created".to_owned()
        )));
        assert_eq!(offer.events.len(), 4);
    }

    #[test]
    fn close_is_asked_so_often_and_no_more() {
        let types: Vec<_> = (0..=MAX_REFUSALS)
            .map(|number| format!("type_{number}"))
            .collect();
        let mut offer = offer(&types.join(","));
        for of in &types[..MAX_REFUSALS] {
            assert!(offer.narrow(&refusal(of)), "{of}");
        }
        assert!(!offer.narrow(&refusal(&format!("{}.created", types[MAX_REFUSALS]))));
    }
}
