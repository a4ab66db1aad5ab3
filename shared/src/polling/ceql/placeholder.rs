//! `${gmtDate:…}` and its like: the time of the last poll.

use super::{CeqlError, shortened};
use crate::polling::date_pattern::{DatePattern, DatePatternError, zone};

const EXPECTED: &str = "${gmtDate:…}, ${date}, ${date:…}, ${dateTimeZone:{zone}:…} or ${epoch}";
const EXPECTED_ZONE: &str = "a time zone such as America/Denver, PST or -8:00";

/// Checks a placeholder, given with its braces.
pub(super) fn check(placeholder: &str, position: usize) -> Result<(), CeqlError> {
    let content = placeholder
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or_default();
    // A pattern has colons of its own, so the first one divides.
    let checked = match content.split_once(':') {
        None if matches!(content, "date" | "epoch") => Ok(()),
        Some(("epoch", "s" | "ms" | "us")) => Ok(()),
        Some(("gmtDate" | "date", pattern)) => check_pattern(pattern),
        // The zone stands in braces of its own: `dateTimeZone:{America/Denver}:…`.
        Some(("dateTimeZone", rest)) => match zone_and_pattern(rest) {
            Some((zone, _)) if zone::find(zone).is_none() => {
                return Err(unexpected(EXPECTED_ZONE, zone, position));
            }
            Some((_, pattern)) => check_pattern(pattern),
            None => return Err(unexpected(EXPECTED, placeholder, position)),
        },
        _ => return Err(unexpected(EXPECTED, placeholder, position)),
    };
    checked.map_err(|error| CeqlError::DatePattern {
        placeholder: shortened(placeholder),
        position,
        error,
    })
}

fn check_pattern(pattern: &str) -> Result<(), DatePatternError> {
    DatePattern::parse(pattern).map(drop)
}

fn zone_and_pattern(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('{')?.split_once("}:")
}

fn unexpected(expected: &'static str, found: &str, position: usize) -> CeqlError {
    CeqlError::Unexpected {
        expected,
        found: format!("`{}`", shortened(found)),
        position,
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn takes_the_documented_ones() {
        for placeholder in [
            "${gmtDate:yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX}",
            "${date:MM/dd/yyyy HH:mm:ss}",
            "${date}",
            "${dateTimeZone:{PST}:yyyy-MM-dd HH:mm:ss}",
            "${dateTimeZone:{-8:00}:HH:mmz}",
            "${dateTimeZone:{America/Denver}:yyyy-MM-dd'T'HH:mm:ss'Z'}",
            "${epoch}",
            "${epoch:s}",
            "${epoch:ms}",
            "${epoch:us}",
        ] {
            assert_eq!(check(placeholder, 1), Ok(()), "{placeholder}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_others() {
        let message = |placeholder: &str| check(placeholder, 3).unwrap_err().to_string();
        insta::assert_snapshot!(message("${now}"), @"expected ${gmtDate:…}, ${date}, ${date:…}, ${dateTimeZone:{zone}:…} or ${epoch} at position 3, but found `${now}`");
        insta::assert_snapshot!(message("${gmtDate}"), @"expected ${gmtDate:…}, ${date}, ${date:…}, ${dateTimeZone:{zone}:…} or ${epoch} at position 3, but found `${gmtDate}`");
        insta::assert_snapshot!(message("${epoch:ns}"), @"expected ${gmtDate:…}, ${date}, ${date:…}, ${dateTimeZone:{zone}:…} or ${epoch} at position 3, but found `${epoch:ns}`");
        insta::assert_snapshot!(message("${dateTimeZone:PST:yyyy}"), @"expected ${gmtDate:…}, ${date}, ${date:…}, ${dateTimeZone:{zone}:…} or ${epoch} at position 3, but found `${dateTimeZone:PST:yyyy}`");
        insta::assert_snapshot!(message("${dateTimeZone:{TimeZone}:yyyy}"), @"expected a time zone such as America/Denver, PST or -8:00 at position 3, but found `TimeZone`");
        insta::assert_snapshot!(message("${gmtDate:}"), @"the date pattern of `${gmtDate:}` at position 3: expected a date pattern, but found nothing");
        insta::assert_snapshot!(message("${date:yyyy-MM-ddT}"), @"the date pattern of `${date:yyyy-MM-ddT}` at position 3: `T` at position 11 is no pattern letter; put literal text in single quotes");
    }
}
