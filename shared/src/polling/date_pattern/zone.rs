//! Time zones by the names that Java takes.

use jiff::tz::{Offset, TimeZone};

/// Java's three-letter names, but for those that the time zone database has as well: EST, HST and MST.
///
/// Source: `java.time.ZoneId.SHORT_IDS`.
const SHORT_IDS: [(&str, &str); 25] = [
    ("ACT", "Australia/Darwin"),
    ("AET", "Australia/Sydney"),
    ("AGT", "America/Argentina/Buenos_Aires"),
    ("ART", "Africa/Cairo"),
    ("AST", "America/Anchorage"),
    ("BET", "America/Sao_Paulo"),
    ("BST", "Asia/Dhaka"),
    ("CAT", "Africa/Harare"),
    ("CNT", "America/St_Johns"),
    ("CST", "America/Chicago"),
    ("CTT", "Asia/Shanghai"),
    ("EAT", "Africa/Addis_Ababa"),
    ("ECT", "Europe/Paris"),
    ("IET", "America/Indiana/Indianapolis"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("MIT", "Pacific/Apia"),
    ("NET", "Asia/Yerevan"),
    ("NST", "Pacific/Auckland"),
    ("PLT", "Asia/Karachi"),
    ("PNT", "America/Phoenix"),
    ("PRT", "America/Puerto_Rico"),
    ("PST", "America/Los_Angeles"),
    ("SST", "Pacific/Guadalcanal"),
    ("VST", "Asia/Ho_Chi_Minh"),
];

/// Java takes no offset beyond 18 hours.
const MAX_OFFSET_SECONDS: i32 = 18 * 3600;

/// Greenwich Mean Time, which is UTC under the name that dates carry.
pub fn gmt() -> TimeZone {
    TimeZone::posix("GMT0").unwrap_or(TimeZone::UTC)
}

/// The zone of a name: `America/Denver`, `PST`, `GMT`, `GMT-8`, `+6:00`.
///
/// Unlike Java's, an unknown name is nobody's: it is not taken as GMT.
pub fn find(name: &str) -> Option<TimeZone> {
    match name {
        "GMT" => return Some(gmt()),
        "UTC" | "UT" | "Z" => return Some(TimeZone::UTC),
        _ => {}
    }
    let short = SHORT_IDS.iter().find(|(short, _)| *short == name);
    let name = short.map_or(name, |(_, long)| long);
    let offset = ["GMT", "UTC", "UT", ""]
        .iter()
        .find_map(|prefix| offset(name.strip_prefix(prefix)?));
    offset
        .map(TimeZone::fixed)
        .or_else(|| TimeZone::get(name).ok())
}

/// `-8`, `-08`, `-8:00`, `-08:00` or `-0800`.
fn offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "0"),
        Some(_) => return None,
    };
    let seconds = hours_of(hours)? * 3600 + minutes_of(minutes)? * 60;
    (seconds <= MAX_OFFSET_SECONDS)
        .then(|| Offset::from_seconds(sign * seconds).ok())
        .flatten()
}

fn hours_of(digits: &str) -> Option<i32> {
    matches!(digits.len(), 1..=2).then(|| number(digits))?
}

fn minutes_of(digits: &str) -> Option<i32> {
    number(digits).filter(|minutes| *minutes < 60)
}

fn number(digits: &str) -> Option<i32> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::find;

    #[track_caller]
    fn check(name: &str, winter: &str, summer: &str) {
        let zone = find(name).unwrap_or_else(|| panic!("no zone {name}"));
        let offset = |time: &str| {
            let time: Timestamp = time.parse().unwrap();
            zone.to_offset(time).to_string()
        };
        assert_eq!(offset("2017-01-18T00:00:00Z"), winter, "{name}");
        assert_eq!(offset("2017-07-18T00:00:00Z"), summer, "{name}");
    }

    #[test]
    fn knows_regions_short_names_and_offsets() {
        check("America/Denver", "-07", "-06");
        check("PST", "-08", "-07");
        check("MST", "-07", "-07");
        check("EST", "-05", "-05");
        check("HST", "-10", "-10");
        check("IST", "+05:30", "+05:30");
        check("Europe/Kyiv", "+02", "+03");
        for name in ["GMT", "UTC", "Z", "+0", "Etc/UTC"] {
            check(name, "+00", "+00");
        }
        for name in ["-8:00", "-08:00", "-8", "-0800", "GMT-8", "UTC-08:00"] {
            check(name, "-08", "-08");
        }
        check("+6:00", "+06", "+06");
        check("+18:00", "+18", "+18");
    }

    #[test]
    fn knows_all_of_javas_short_names() {
        for (name, _) in super::SHORT_IDS {
            assert!(find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn has_no_zone_for_any_other_name() {
        for name in [
            "",
            "TimeZone",
            "Mars/Phobos",
            "+",
            "-",
            "+19",
            "+18:01",
            "+1:60",
            "+1:5",
            "+1:+5",
            "+123",
            "+é",
            "é",
            "GMT+",
            "8:00",
            "../UTC",
        ] {
            assert!(find(name).is_none(), "{name}");
        }
    }
}
