//! What happens in a history, and in what surroundings: data, to be made at random and to be shrunk.

use std::time::Duration;

use jiff::Timestamp;

/// A history.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) setup: Setup,
    /// Before there is an instance.
    pub(crate) past: Vec<Step>,
    pub(crate) steps: Vec<Step>,
}

/// What stays as it is.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) resources: Vec<Polled>,
    /// How long before the instance polling starts, if its owner says so.
    pub(crate) start: Option<Duration>,
    pub(crate) quirks: Quirks,
    /// What one call takes when everything has come to rest, and a poll may have no time for all of it.
    pub(crate) slowness: Option<Duration>,
}

/// A resource of the instance, as its owner configures it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Polled {
    pub(crate) of: Of,
    pub(crate) is_logged: bool,
    pub(crate) condition: Condition,
    pub(crate) page_size: u16,
    pub(crate) delay: Duration,
}

/// What a resource is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Of {
    Contacts,
    Leads,
    Opportunities,
    Tasks,
    Activities,
    Events,
}

/// Which records a resource wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Any,
    /// Of this rank or more.
    Rank(u8),
    /// Created so long before the history began, or later.
    CreatedSince(Duration),
}

/// What nobody outside Close knows of it.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "any of them may hold with any other"
)]
pub(crate) struct Quirks {
    /// Decides the order where Close promises none.
    pub(crate) salt: u64,
    /// The same search puts ties in another order each time.
    pub(crate) is_search_fickle: bool,
    /// A cursor of a search goes through what there was when the search began.
    pub(crate) is_search_frozen: bool,
    /// A search finds and sorts objects as they were, and shows them as they are.
    pub(crate) is_search_behind: bool,
    /// Tasks come newest first.
    pub(crate) is_newest_task_first: bool,
    /// Entries on a page of the event log, which may be fewer than were asked for.
    pub(crate) log_page: usize,
    /// The event log gives no cursor to what was not asked for.
    pub(crate) is_log_closed: bool,
    /// A cursor of the event log counts entries, so that it shifts with each new one.
    pub(crate) is_log_counted: bool,
    /// The key is not an administrator's: what changed is hidden after an hour.
    pub(crate) is_hiding: bool,
    /// A page begins with what the one before ended with: something came in between.
    pub(crate) is_repeating: bool,
    /// Custom fields of leads and of contacts.
    pub(crate) custom_fields: usize,
    /// Selectors of custom fields that a search takes.
    pub(crate) custom_batch: usize,
    /// A search answers all custom fields to the selector `custom`.
    pub(crate) is_custom_flat: bool,
    /// Close shows no object by itself to this key.
    pub(crate) is_lookup_refused: bool,
    /// An endpoint that never works, and how.
    pub(crate) broken: Option<(Of, Trouble)>,
}

/// How an endpoint does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It answers 503.
    Fails,
    /// It does not answer.
    Hangs,
    /// It takes no request for so many seconds, over and over.
    Throttles(u8),
}

/// Something that happens a while after the step before began, once or again and again.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) pause: Duration,
    pub(crate) times: u8,
    pub(crate) every: Duration,
    pub(crate) act: Act,
}

/// Something that happens.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Make(Make),
    Edit(Edit),
    Delete(Delete),
    /// One lead becomes part of another.
    Merge {
        from: u8,
        into: u8,
    },
    /// A task is done.
    Complete(u8),
    /// Something about an object changes that leaves its date alone.
    Touch {
        of: Of,
        which: u8,
    },
    /// The log has an entry that cannot be read.
    Obscure {
        of: Of,
        which: u8,
        what: Obscurity,
    },
    Poll(Poll),
    Backfill(Backfill),
    /// The owner disables the instance and enables it again: whoever polls it loses the lease.
    Fence,
    Configure(Configure),
}

/// Objects come into being, all in one moment.
#[derive(Debug, Clone)]
pub(crate) struct Make {
    pub(crate) of: Of,
    pub(crate) count: u16,
    /// As many whenever it happens again.
    pub(crate) again: u16,
    /// How long ago they say they were created; some by so much more than the ones before.
    pub(crate) age: Duration,
    pub(crate) spread: Duration,
    pub(crate) stamp: Stamp,
}

/// Objects change, all in one moment.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    pub(crate) of: Of,
    pub(crate) first: u8,
    pub(crate) count: u16,
    /// As many whenever it happens again.
    pub(crate) again: u16,
    /// The event log makes it one with the update before.
    pub(crate) is_consolidated: bool,
    pub(crate) stamp: Stamp,
}

/// An object is deleted.
#[derive(Debug, Clone)]
pub(crate) struct Delete {
    pub(crate) of: Of,
    pub(crate) which: u8,
    pub(crate) lag: Duration,
}

/// What cannot be read of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obscurity {
    /// It does not say of which object it is.
    Objectless,
    /// It does not say of which type the object is.
    Untyped,
    /// Its date is a number.
    Undated,
}

/// The owner asks for what changed in a stretch of the past, of one of the resources.
#[derive(Debug, Clone)]
pub(crate) struct Backfill {
    pub(crate) of: Of,
    pub(crate) ago: Duration,
    pub(crate) length: Duration,
}

/// The owner changes how a resource is polled, adds it, or removes it.
#[derive(Debug, Clone)]
pub(crate) struct Configure {
    pub(crate) of: Of,
    pub(crate) to: Option<Polled>,
}

/// How a change shows.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    /// So long after the date that it bears.
    pub(crate) lag: Duration,
    /// The date lies so far ahead of the time.
    pub(crate) ahead: Duration,
    pub(crate) rank: u8,
}

/// An invocation that polls, or two at once.
#[derive(Debug, Clone)]
pub(crate) struct Poll {
    pub(crate) is_twin: bool,
    /// What the invocation may take.
    pub(crate) budget: Duration,
    /// By how many seconds its clock is ahead.
    pub(crate) skew: i16,
    /// How long one call takes.
    pub(crate) pace: Duration,
    /// It is not stopped at its deadline.
    pub(crate) is_zombie: bool,
    /// By number of the call, what happens just before it.
    pub(crate) meanwhile: Vec<(u8, Act)>,
    /// By number of the call, what goes wrong with it.
    pub(crate) faults: Vec<(u8, Fault)>,
}

/// What goes wrong with a call. One that makes no sense for it is a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The invocation dies before the call.
    CrashBefore,
    /// The invocation dies when the call has done its work, but before it has its answer.
    CrashAfter,
    /// The call does nothing.
    Fail,
    /// The call does its work, but nobody hears of it.
    LoseAnswer,
    /// The call is given up, and does its work so many seconds later.
    Late(u16),
    /// The answer takes so many seconds.
    Stall(u16),
    /// There is no answer; Close is waited for until its client's timeout.
    Hang,
    /// Close takes nothing for so many seconds.
    Throttle(u8),
    /// Close answers, and takes nothing more for so many seconds.
    Spend(u8),
    /// Close no longer knows its cursor.
    ExpireCursor,
    /// Close refuses the key.
    Refuse,
    /// The next publication: the bus takes only those entries whose bit is set, over and over. Why is not in the others.
    Partial(u8),
    /// The next publication: the bus refuses those entries whose bit is not set, for what is in them.
    Refusal(u8),
}

impl Poll {
    /// A poll in which nothing goes wrong, and each call takes so long.
    pub(crate) fn quiet(pace: Duration) -> Self {
        Self {
            is_twin: false,
            budget: Duration::from_mins(5),
            skew: 0,
            pace,
            is_zombie: false,
            meanwhile: Vec::new(),
            faults: Vec::new(),
        }
    }
}

/// Everything that happens, each at its time.
pub(crate) fn timeline(steps: &[Step]) -> Vec<(Duration, Act)> {
    let mut all = Vec::new();
    let mut begin = Duration::ZERO;
    for step in steps {
        begin += step.pause;
        let (mut time, mut act) = (begin, step.act.clone());
        for _ in 0..step.times {
            let next = act.next();
            all.push((time, std::mem::replace(&mut act, next)));
            time += step.every;
        }
    }
    all.sort_by_key(|(time, _)| *time);
    all
}

impl Setup {
    /// Turns what nobody polls into what somebody does.
    pub(crate) fn polled(&self, of: Of) -> Of {
        let is_polled = |of: Of| self.resources.iter().any(|polled| polled.of == of);
        if is_polled(of) || is_polled(Of::Events) {
            return of;
        }
        self.resources[of as usize % self.resources.len()].of
    }
}

impl Act {
    /// What it is about.
    pub(crate) fn of(&mut self) -> Option<&mut Of> {
        match self {
            Self::Make(make) => Some(&mut make.of),
            Self::Edit(edit) => Some(&mut edit.of),
            Self::Delete(delete) => Some(&mut delete.of),
            Self::Backfill(backfill) => Some(&mut backfill.of),
            Self::Touch { of, .. } | Self::Obscure { of, .. } => Some(of),
            Self::Merge { .. }
            | Self::Complete(_)
            | Self::Poll(_)
            | Self::Fence
            | Self::Configure(_) => None,
        }
    }

    /// The same again, for the next object.
    pub(crate) fn next(&self) -> Self {
        let mut next = self.clone();
        match &mut next {
            Self::Make(make) => make.count = make.again,
            Self::Edit(edit) => {
                edit.first = edit.first.wrapping_add(1);
                edit.count = edit.again;
            }
            _ => {}
        }
        next
    }
}

impl Of {
    pub(crate) const ALL: [Self; 6] = [
        Self::Contacts,
        Self::Leads,
        Self::Opportunities,
        Self::Tasks,
        Self::Activities,
        Self::Events,
    ];

    /// The resource in a query's URL.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Contacts => "contacts",
            Self::Leads => "leads",
            Self::Opportunities => "opportunities",
            Self::Tasks => "tasks",
            Self::Activities => "activities",
            Self::Events => "events",
        }
    }

    /// Close's type of the objects; of events, which are none themselves, it is nobody's.
    pub(crate) fn object_type(self) -> &'static str {
        match self {
            Self::Contacts => "contact",
            Self::Leads => "lead",
            Self::Opportunities => "opportunity",
            Self::Tasks => "task.lead",
            Self::Activities => "activity.call",
            Self::Events => "event",
        }
    }
}

/// When every history begins.
pub(crate) fn epoch() -> Timestamp {
    Timestamp::constant(1_781_870_400, 123_456_789)
}
