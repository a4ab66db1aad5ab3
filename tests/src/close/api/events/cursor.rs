//! The cursors of the event log: a place in it, written so that nobody reads it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use crate::close::data::log::event_log::LogPosition;
use crate::close::wire::answer::Refusal;

/// Where a page goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventCursor {
    /// With what is older than this entry.
    OlderThan(LogPosition),
    /// With what is newer than this entry.
    NewerThan(LogPosition),
}

impl EventCursor {
    /// Reads what [`Display`](fmt::Display) wrote.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let invalid = || Refusal::Field("_cursor", "Invalid cursor.".to_owned());
        Self::decode(text).ok_or_else(invalid)
    }

    fn decode(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = text.split('.');
        let side = parts.next()?;
        let nanosecond = parts.next()?.parse().ok()?;
        let place = LogPosition {
            date: Timestamp::from_nanosecond(nanosecond).ok()?,
            tie: parts.next()?.parse().ok()?,
            position: parts.next()?.parse().ok()?,
        };
        match side {
            "older" => Some(Self::OlderThan(place)),
            "newer" => Some(Self::NewerThan(place)),
            _ => None,
        }
    }
}

impl fmt::Display for EventCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (side, place) = match self {
            Self::OlderThan(place) => ("older", place),
            Self::NewerThan(place) => ("newer", place),
        };
        let LogPosition {
            date,
            tie,
            position,
        } = place;
        let text = format!("{side}.{}.{tie}.{position}", date.as_nanosecond());
        formatter.write_str(&URL_SAFE_NO_PAD.encode(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_an_invented_one_refused() {
        let place = LogPosition {
            date: "2026-06-19T12:00:00.123456Z".parse().unwrap(),
            tie: 7,
            position: 3,
        };
        for cursor in [EventCursor::OlderThan(place), EventCursor::NewerThan(place)] {
            assert_eq!(EventCursor::parse(&cursor.to_string()), Ok(cursor));
        }
        assert!(EventCursor::parse("eyJvcGFxdWUiOiAiY3Vyc29yIn0").is_err());
    }
}
