//! What is sent of an event, and what is tried next where that is refused.

use super::refusal::Refusal;
use crate::event::Event;
use crate::event::entry::{PutEventsEntry, RawForm};

/// Entries that one `PutEvents` call holds. Source: the API reference of `PutEvents`.
pub(super) const MAX_ENTRIES: usize = 10;

/// An entry to be sent.
#[derive(Debug)]
pub(super) struct PendingEntry<'a> {
    /// The place of the event, or of the entry, in what was handed in.
    pub(super) place: usize,
    /// What is sent.
    pub(super) entry: PutEventsEntry,
    /// What it was made of, if it is about a change.
    of: Option<(&'a Event, RawForm)>,
    /// Whether it was refused in some form for a reason that does not lie in it.
    had_trouble: bool,
}

/// What is left to do about a refused entry.
#[derive(Debug)]
pub(super) enum Next<'a> {
    /// To send it in another form.
    Try(PendingEntry<'a>),
    /// Nothing: every form was refused, and the reason lay in the event.
    GiveUp,
    /// Nothing for now: it may pass when the trouble is over.
    Leave,
}

impl<'a> PendingEntry<'a> {
    /// The event as it is sent first.
    pub(super) fn first(place: usize, event: &'a Event, max_bytes: usize) -> Self {
        let (entry, form) = event.to_entry(RawForm::Json, max_bytes);
        Self {
            place,
            entry,
            of: Some((event, form)),
            had_trouble: false,
        }
    }

    /// An entry that is not about a change. It has one form.
    pub(super) fn plain(place: usize, entry: &PutEventsEntry) -> Self {
        Self {
            place,
            entry: entry.clone(),
            of: None,
            had_trouble: false,
        }
    }

    /// What it was made of.
    pub(super) fn event(&self) -> Option<&'a Event> {
        self.of.map(|(event, _)| event)
    }

    /// Close's own id of the object that it is about.
    pub(super) fn object(&self) -> Option<&'a str> {
        self.event().map(|event| event.change.own_id.as_str())
    }

    /// What to do after a refusal. The forms are tried from the whole to the least; where the reason is not known to lie in
    /// the event, only the plain text is.
    pub(super) fn next(self, refusal: Refusal, max_bytes: usize) -> Next<'a> {
        let had_trouble = self.had_trouble || refusal == Refusal::Trouble;
        let form = self.of.and_then(|(_, form)| following(form, refusal));
        match self.event().zip(form) {
            Some((event, form)) => {
                let (entry, form) = event.to_entry(form, max_bytes);
                Next::Try(Self {
                    entry,
                    of: Some((event, form)),
                    had_trouble,
                    ..self
                })
            }
            None if had_trouble => Next::Leave,
            None => Next::GiveUp,
        }
    }
}

fn following(form: RawForm, refusal: Refusal) -> Option<RawForm> {
    match (form, refusal) {
        (RawForm::Json, Refusal::Content | Refusal::Trouble) => Some(RawForm::Text),
        (RawForm::Text, Refusal::Content) | (RawForm::Json | RawForm::Text, Refusal::Size) => {
            Some(RawForm::Omitted)
        }
        _ => None,
    }
}

/// Groups pending entries, in order, into calls of at most ten entries and `max_bytes` bytes. An entry alone may be larger: then
/// EventBridge says so. No two of one call are about one object, or the earlier, sent again by itself, could come second.
pub(super) fn to_calls<'a>(
    pending: impl IntoIterator<Item = PendingEntry<'a>>,
    max_bytes: usize,
) -> Vec<Vec<PendingEntry<'a>>> {
    let mut calls: Vec<Vec<PendingEntry<'a>>> = Vec::new();
    let mut bytes = 0;
    for entry in pending {
        let size = entry.entry.size();
        let is_of = |other: &PendingEntry<'_>| is_same(other.object(), entry.object());
        match calls.last_mut() {
            Some(call)
                if call.len() < MAX_ENTRIES
                    && bytes + size <= max_bytes
                    && !call.iter().any(is_of) =>
            {
                call.push(entry);
                bytes += size;
            }
            _ => {
                calls.push(vec![entry]);
                bytes = size;
            }
        }
    }
    calls
}

fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_some() && one == other
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Next, PendingEntry, Refusal, to_calls};
    use crate::event::Event;
    use crate::event::entry::PutEventsEntry;
    use crate::event::tests::{change, event};

    const MAX_BYTES: usize = 1_000_000;

    fn entries(sizes: &[usize]) -> Vec<PutEventsEntry> {
        let entry = |size: &usize| {
            PutEventsEntry::new(
                "closeio",
                "x",
                Timestamp::UNIX_EPOCH,
                &"d".repeat(size - 24),
            )
        };
        sizes.iter().map(entry).collect()
    }

    /// The places of the entries in each call.
    fn places(entries: &[PutEventsEntry], max_bytes: usize) -> Vec<Vec<usize>> {
        let pending = entries.iter().enumerate();
        let pending = pending.map(|(place, entry)| PendingEntry::plain(place, entry));
        of_each(&to_calls(pending, max_bytes))
    }

    fn of_each(calls: &[Vec<PendingEntry<'_>>]) -> Vec<Vec<usize>> {
        let places = |call: &Vec<PendingEntry<'_>>| call.iter().map(|it| it.place).collect();
        calls.iter().map(places).collect()
    }

    fn of_object(id: &str) -> Event {
        let mut change = change("updated", "2026-06-19T12:06:45.242Z", r#"{"n":1}"#);
        id.clone_into(&mut change.own_id);
        event(change)
    }

    #[test]
    fn a_call_holds_ten_entries() {
        let calls = places(&entries(&[30; 23]), MAX_BYTES);
        let sizes: Vec<_> = calls.iter().map(Vec::len).collect();
        assert_eq!(sizes, [10, 10, 3]);
    }

    #[test]
    fn a_call_holds_the_byte_limit_to_the_byte() {
        let entries = entries(&[40, 60, 30]);
        let sizes: Vec<_> = entries.iter().map(PutEventsEntry::size).collect();
        assert_eq!(sizes, [40, 60, 30]);
        assert_eq!(places(&entries, 100), [vec![0, 1], vec![2]]);
        assert_eq!(places(&entries, 99), [vec![0], vec![1, 2]]);
        assert_eq!(places(&entries, 10), [vec![0], vec![1], vec![2]]);
    }

    #[test]
    fn no_two_entries_of_one_call_are_about_one_object() {
        let events = ["a", "b", "a", "a"].map(of_object);
        let pending = events.iter().enumerate();
        let pending = pending.map(|(place, event)| PendingEntry::first(place, event, MAX_BYTES));
        assert_eq!(
            of_each(&to_calls(pending, MAX_BYTES)),
            [vec![0, 1], vec![2], vec![3]]
        );
    }

    /// What an entry holds of Close's after these refusals, or what comes of it.
    fn after(refusals: &[Refusal]) -> &'static str {
        let event = of_object("a");
        let mut entry = PendingEntry::first(0, &event, MAX_BYTES);
        for refusal in refusals {
            match entry.next(*refusal, MAX_BYTES) {
                Next::Try(next) => entry = next,
                Next::GiveUp => return "given up",
                Next::Leave => return "left",
            }
        }
        let members = ["raw", "rawText", "rawOmitted"].into_iter();
        let mut members = members.filter(|it| entry.entry.detail.contains(&format!("\"{it}\":")));
        members.next().unwrap()
    }

    #[test]
    fn refused_content_is_sent_as_text_and_then_left_out() {
        use Refusal::{Content, Size};
        assert_eq!(after(&[]), "raw");
        assert_eq!(after(&[Content]), "rawText");
        assert_eq!(after(&[Content, Content]), "rawOmitted");
        assert_eq!(after(&[Content, Content, Content]), "given up");
        assert_eq!(after(&[Size]), "rawOmitted");
        assert_eq!(after(&[Content, Size]), "rawOmitted");
        assert_eq!(after(&[Size, Size]), "given up");
    }

    #[test]
    fn what_met_other_trouble_in_any_form_is_not_given_up() {
        use Refusal::{Content, Size, Trouble};
        assert_eq!(after(&[Trouble]), "rawText");
        assert_eq!(after(&[Trouble, Trouble]), "left");
        assert_eq!(after(&[Content, Trouble]), "left");
        assert_eq!(after(&[Size, Trouble]), "left");
        assert_eq!(after(&[Trouble, Content]), "rawOmitted");
        assert_eq!(after(&[Trouble, Content, Content]), "left");
    }

    #[test]
    fn an_entry_that_is_not_about_a_change_has_one_form() {
        let entry = &entries(&[30])[0];
        let next = |refusal| PendingEntry::plain(0, entry).next(refusal, MAX_BYTES);
        assert!(matches!(next(Refusal::Content), Next::GiveUp));
        assert!(matches!(next(Refusal::Trouble), Next::Leave));
    }
}
