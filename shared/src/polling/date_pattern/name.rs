//! English names in dates.

use super::Length;

/// January is the first.
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Monday is the first.
pub(super) const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// The halves of a day.
pub(super) const HALF_DAYS: [&str; 2] = ["AM", "PM"];

/// A name in its length; the short ones have three letters.
pub(super) fn of_length(name: &'static str, length: Length) -> &'static str {
    match length {
        Length::Short => &name[..3],
        Length::Full => name,
    }
}
