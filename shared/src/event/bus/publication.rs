//! What became of events.

/// What became of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// On the bus.
    Published,
    /// Refused by EventBridge in every form, for a reason that lies in the event. It has been logged.
    Unpublishable,
    /// Not on the bus, and may be with another try.
    Unpublished,
}

/// What became of each event that was handed in. All counts derive from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Publication {
    fates: Vec<Fate>,
    reason: Option<String>,
}

/// Some events are not on the bus, and may be with another try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{unpublished} of the events were not accepted, last: {reason}")]
pub struct PublishError {
    /// How many.
    pub unpublished: usize,
    /// EventBridge's last answer.
    pub reason: String,
}

/// How many events went where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those on the bus.
    pub published: usize,
    /// Those that EventBridge refuses in every form.
    pub unpublishable: usize,
    /// Those that it did not accept, and may accept later.
    pub unpublished: usize,
}

impl Publication {
    /// Of events with these fates. `reason` is EventBridge's last answer, where some are unpublished.
    pub fn new(fates: Vec<Fate>, reason: Option<String>) -> Self {
        Self { fates, reason }
    }

    /// The fate of each event, in the order in which the events were handed in.
    pub fn fates(&self) -> &[Fate] {
        &self.fates
    }

    /// Those of the `events` that were handed in which are on the bus.
    pub fn published<'e, E>(&self, events: &'e [E]) -> impl Iterator<Item = &'e E> {
        let fates = events.iter().zip(&self.fates);
        let published = fates.filter(|(_, fate)| **fate == Fate::Published);
        published.map(|(event, _)| event)
    }

    /// How many events had which fate.
    pub fn counts(&self) -> Counts {
        let count = |fate| self.fates.iter().filter(|it| **it == fate).count();
        Counts {
            published: count(Fate::Published),
            unpublishable: count(Fate::Unpublishable),
            unpublished: count(Fate::Unpublished),
        }
    }

    /// The trouble, if some event is unpublished.
    pub fn error(&self) -> Option<PublishError> {
        let unpublished = self.counts().unpublished;
        (0 < unpublished).then(|| PublishError {
            unpublished,
            reason: self.reason.clone().unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Fate, Publication};

    #[test]
    fn each_event_counts_by_its_own_fate() {
        let fates = vec![
            Fate::Unpublishable,
            Fate::Published,
            Fate::Unpublished,
            Fate::Published,
        ];
        let publication = Publication::new(fates, Some("ThrottlingException".to_owned()));
        let counts = Counts {
            published: 2,
            unpublishable: 1,
            unpublished: 1,
        };
        assert_eq!(publication.counts(), counts);
        assert_eq!(
            publication.error().unwrap().to_string(),
            "1 of the events were not accepted, last: ThrottlingException"
        );
    }

    #[test]
    fn a_reason_of_the_past_is_no_error() {
        let reason = Some("ThrottlingException".to_owned());
        let fates = vec![Fate::Published, Fate::Unpublishable];
        assert_eq!(Publication::new(fates, reason).error(), None);
    }
}
