//! The events that a subscription is asked for, without those that Close refuses.

use shared::close::error::CloseError;
use shared::close::webhook::{self, SubscribedEvent};

/// So often Close is asked again. There are 10 s for all.
const MAX_REFUSALS: usize = 10;

/// Events, narrowed with each refusal that names some of them.
#[derive(Debug)]
pub struct Offer {
    events: Vec<SubscribedEvent>,
    /// The types of those that were refused.
    doubted: Vec<String>,
    refusals: usize,
}

impl Offer {
    /// An offer of all of `events`.
    pub fn new(events: &[SubscribedEvent]) -> Self {
        Self {
            events: events.to_vec(),
            doubted: Vec::new(),
            refusals: 0,
        }
    }

    /// What to ask for next.
    pub fn events(&self) -> &[SubscribedEvent] {
        &self.events
    }

    /// Leaves out the events that Close has refused by name; all of a type, the second time. Returns whether to ask again.
    pub fn narrow(&mut self, error: &CloseError) -> bool {
        let CloseError::Rejected {
            status: 400,
            message,
        } = error
        else {
            return false;
        };
        let refused = webhook::refused(message, &self.events);
        let types = refused.iter().filter_map(|at| self.events.get(*at));
        let types: Vec<_> = types.map(|event| event.object_type.clone()).collect();
        let is_out = |of: &String| types.contains(of) && self.doubted.contains(of);
        let others = self.events.iter().enumerate();
        let others =
            others.filter(|(at, event)| !refused.contains(at) && !is_out(&event.object_type));
        let others: Vec<_> = others.map(|(_, event)| event.clone()).collect();
        if refused.is_empty() || others.is_empty() || self.refusals == MAX_REFUSALS {
            return false;
        }
        self.refusals += 1;
        self.doubted.extend(types);
        self.events = others;
        true
    }
}

#[cfg(test)]
mod tests {
    use shared::close::error::CloseError;
    use shared::objects;

    use super::{MAX_REFUSALS, Offer};

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
        let events = offer.events().iter();
        let names = events.map(|event| format!("{}.{}", event.object_type, event.action));
        names.collect()
    }

    #[test]
    fn what_close_refuses_is_left_out_and_the_whole_type_the_second_time() {
        let mut offer = offer("group,task.voicemail");
        assert!(offer.narrow(&refusal("Invalid: task.voicemail.completed")));
        assert_eq!(offer.events().len(), 6);
        assert!(offer.narrow(&refusal("Invalid: task.voicemail.created")));
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
        assert_eq!(offer.events().len(), 4);
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
