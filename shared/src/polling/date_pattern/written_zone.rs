//! The zone that a text names.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::zone;

/// The names of zones that North America's dates carry, in hours from UTC. Source: RFC 822, section 5.
const ABBREVIATIONS: [(&str, i8); 8] = [
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
];

/// What a text says about its zone.
pub(super) enum WrittenZone<'a> {
    Nothing,
    Offset(Offset),
    Name(&'a str),
}

impl WrittenZone<'_> {
    /// The instant at which the clocks there show `local`.
    pub(super) fn time(&self, local: DateTime, default: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Nothing => default.to_timestamp(local).ok(),
            Self::Offset(offset) => offset.to_timestamp(local).ok(),
            Self::Name(name) => time_in(name, local, default),
        }
    }
}

/// The default zone's own abbreviation goes first: it alone tells summer from winter in the hour that comes twice.
fn time_in(name: &str, local: DateTime, default: &TimeZone) -> Option<Timestamp> {
    let ambiguous = default.to_ambiguous_timestamp(local);
    let own = [ambiguous.earlier(), ambiguous.later()]
        .into_iter()
        .flatten()
        .find(|time| default.to_offset_info(*time).abbreviation() == name);
    let american = || {
        let (_, hours) = ABBREVIATIONS.iter().find(|(known, _)| *known == name)?;
        Offset::from_hours(*hours).ok()?.to_timestamp(local).ok()
    };
    own.or_else(american)
        .or_else(|| zone::find(name)?.to_timestamp(local).ok())
}
