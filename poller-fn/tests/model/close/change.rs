//! Changes of what Close knows.

use std::time::Duration;

use jiff::Timestamp;
use shared::close::span::floor;

use super::entry::{Entry, Form, version};
use super::render;
use super::state::{Close, Object, Place, TICK, Version};
use crate::history::{Delete, Edit, Make, Obscurity, Of, Stamp};

/// Close's log shows everything within five minutes; of what is promised a little less.
const MAX_LOG_LAG: Duration = Duration::from_secs(290);
/// The log stamps an entry so long after the object.
const STAMPING: Duration = Duration::from_millis(3);
/// So long after it was created an entry still takes up further updates.
const CONSOLIDATION: Duration = Duration::from_mins(1);

/// What happens to an object.
#[derive(Clone, Copy)]
struct Happening<'a> {
    action: &'static str,
    is_consolidated: bool,
    /// It gives the object a new date.
    is_stamping: bool,
    stamp: &'a Stamp,
}

impl Close {
    pub(crate) fn make(&mut self, make: &Make, now: Timestamp) {
        let mut age = make.age;
        for _ in 0..make.count {
            let number = self.objects.len();
            self.objects.push(Object {
                of: make.of,
                id: format!("{}_{number}", prefix(make.of)),
                created: floor(now - age),
                versions: Vec::new(),
            });
            age += make.spread;
            self.happen(number, Happening::new("created", &make.stamp), now);
        }
    }

    pub(crate) fn edit(&mut self, edit: &Edit, now: Timestamp) {
        let living = self.living(edit.of);
        let start = usize::from(edit.first) % living.len().max(1);
        let (before, after) = living.split_at(start);
        let happening = Happening {
            is_consolidated: edit.is_consolidated,
            ..Happening::new("updated", &edit.stamp)
        };
        for object in after.iter().chain(before).take(edit.count.into()) {
            self.happen(*object, happening, now);
        }
    }

    pub(crate) fn delete(&mut self, delete: &Delete, now: Timestamp) {
        let stamp = Stamp::late(delete.lag);
        if let Some(object) = self.pick(delete.of, delete.which) {
            self.happen(object, Happening::new("deleted", &stamp), now);
        }
    }

    pub(crate) fn merge(&mut self, from: u8, into: u8, now: Timestamp) {
        let stamp = Stamp::late(Duration::ZERO);
        let leads = self.pick(Of::Leads, from).zip(self.pick(Of::Leads, into));
        if let Some((from, into)) = leads.filter(|(from, into)| from != into) {
            self.happen(into, Happening::new("merged", &stamp), now);
            self.happen(from, Happening::new("deleted", &stamp), now);
        }
    }

    pub(crate) fn complete(&mut self, which: u8, now: Timestamp) {
        let stamp = Stamp::late(Duration::ZERO);
        if let Some(task) = self.pick(Of::Tasks, which) {
            self.happen(task, Happening::new("completed", &stamp), now);
        }
    }

    pub(crate) fn touch(&mut self, of: Of, which: u8, now: Timestamp) {
        let stamp = Stamp::late(Duration::ZERO);
        if let Some(number) = self.pick(of, which) {
            let own = self.next_own(number, now);
            let happening = Happening {
                is_stamping: false,
                ..Happening::new("updated", &stamp)
            };
            self.note(number, happening, own, now);
        }
    }

    pub(crate) fn obscure(&mut self, of: Of, which: u8, what: Obscurity, now: Timestamp) {
        let Some(number) = self.pick(of, which) else {
            return;
        };
        let own = self.next_own(number, now);
        let mut logged = Entry::new(self.log.len(), number, "updated", own);
        logged.obscurity = Some(what);
        let json = render::obscure(&logged, &self.objects[number], what, own);
        let place = Place {
            entry: self.log.len(),
            form: 0,
        };
        self.versions
            .extend(version(&json).map(|version| (version, place)));
        let form = Form {
            own,
            visible: now,
            version: self.objects[number].versions.len() - 1,
            is_stamping: false,
            shown: json.clone(),
            hidden: json,
        };
        logged.forms.push(form);
        self.log.push(logged);
    }

    /// The date of an entry that is not about a change of the object's date, later than that of any before.
    fn next_own(&self, number: usize, now: Timestamp) -> Timestamp {
        let logged = self.last_entry(number).map(Entry::own_date);
        logged.map_or(floor(now), |logged| floor(now).max(logged + TICK))
    }

    fn living(&self, of: Of) -> Vec<usize> {
        let is_living = |object: &Object| {
            object.of == of
                && object
                    .versions
                    .last()
                    .is_some_and(|last| last.json.is_some())
        };
        let objects = self.objects.iter().enumerate();
        objects
            .filter(|(_, object)| is_living(object))
            .map(|(number, _)| number)
            .collect()
    }

    fn pick(&self, of: Of, which: u8) -> Option<usize> {
        let living = self.living(of);
        let place = usize::from(which).checked_rem(living.len())?;
        living.get(place).copied()
    }

    fn happen(&mut self, number: usize, happening: Happening<'_>, now: Timestamp) {
        let logged = self.last_entry(number).map(Entry::own_date);
        let custom_fields = self.quirks.custom_fields;
        let object = &mut self.objects[number];
        let (date, own) = happening.dates(object, logged, now);
        let rank = happening.stamp.rank;
        let json = (happening.action != "deleted")
            .then(|| render::object(object, number, date, rank, custom_fields));
        object.versions.push(Version {
            date,
            visible: now + happening.stamp.lag,
            rank,
            json,
        });
        self.note(number, happening, own, now);
    }

    fn last_entry(&self, object: usize) -> Option<&Entry> {
        self.log.iter().rev().find(|entry| entry.object == object)
    }

    /// Logs the last change of an object.
    fn note(&mut self, number: usize, happening: Happening<'_>, own: Timestamp, now: Timestamp) {
        let object = &self.objects[number];
        let mut entries = self.log.iter().rposition(|entry| entry.object == number);
        entries = entries.filter(|last| happening.joins(&self.log[*last], own));
        let place = entries.unwrap_or_else(|| {
            let next = self.log.len();
            self.log
                .push(Entry::new(next, number, happening.action, own));
            next
        });
        let entry = &mut self.log[place];
        let visible = now + happening.stamp.lag.min(MAX_LOG_LAG);
        let [shown, hidden] = render::entry(entry, object, own, happening.is_stamping);
        let form = Place {
            entry: place,
            form: entry.forms.len(),
        };
        self.versions
            .extend(version(&shown).map(|version| (version, form)));
        entry.forms.push(Form {
            own,
            visible,
            version: object.versions.len() - 1,
            is_stamping: happening.is_stamping,
            shown,
            hidden,
        });
    }
}

impl<'a> Happening<'a> {
    fn new(action: &'static str, stamp: &'a Stamp) -> Self {
        Self {
            action,
            is_consolidated: false,
            is_stamping: true,
            stamp,
        }
    }

    /// The date that the object bears, another than ever before, and that of the entry in the log, later than ever before.
    fn dates(
        self,
        object: &Object,
        logged: Option<Timestamp>,
        now: Timestamp,
    ) -> (Timestamp, Timestamp) {
        let earliest = logged.map_or(floor(now), |logged| floor(now).max(logged + TICK));
        let mut date = if self.stamp.ahead.is_zero() {
            earliest
        } else {
            floor(now) + self.stamp.ahead
        };
        while object.versions.iter().any(|version| version.date == date) {
            date += TICK;
        }
        let own = if self.stamp.ahead.is_zero() {
            date
        } else {
            earliest
        };
        (date, own + STAMPING)
    }

    fn joins(self, last: &Entry, own: Timestamp) -> bool {
        let is_update =
            self.action == "updated" && last.action == "updated" && last.obscurity.is_none();
        is_update && self.is_consolidated && own < last.created + CONSOLIDATION
    }
}

impl Stamp {
    fn late(lag: Duration) -> Self {
        Self {
            lag,
            ahead: Duration::ZERO,
            rank: 9,
        }
    }
}

fn prefix(of: Of) -> &'static str {
    match of {
        Of::Contacts => "cont",
        Of::Leads => "lead",
        Of::Opportunities => "oppo",
        Of::Tasks => "task",
        Of::Activities | Of::Events => "acti",
    }
}
