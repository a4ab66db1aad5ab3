//! Java's date patterns, as they stand in `updatedDateFormat` and in a query's placeholders.

/// Pattern letters of `java.time.format.DateTimeFormatter` and `java.text.SimpleDateFormat`.
const LETTERS: &str = "GyYuMLwWdDFEeaHkKhmsSAnNzZXxVOQqcBv";

/// The text is not a Java date pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatePatternError {
    /// A letter that Java gives no meaning.
    #[error(
        "`{letter}` at position {position} is no pattern letter; put literal text in single quotes"
    )]
    UnknownLetter {
        /// The letter.
        letter: char,
        /// Counted in characters from 1.
        position: usize,
    },
    /// A quote without its closing one.
    #[error("the single quote at position {position} is never closed")]
    OpenQuote {
        /// Counted in characters from 1.
        position: usize,
    },
}

/// Checks that Java would take the pattern. `milliseconds`, the old service's word for epoch milliseconds, passes.
///
/// # Errors
/// The first fault, with its position.
pub fn check(pattern: &str) -> Result<(), DatePatternError> {
    if pattern == "milliseconds" {
        return Ok(());
    }
    let mut open_quote = None;
    for (index, character) in pattern.chars().enumerate() {
        let position = index + 1;
        match character {
            '\'' => open_quote = open_quote.is_none().then_some(position),
            _ if open_quote.is_some()
                || !character.is_ascii_alphabetic()
                || LETTERS.contains(character) => {}
            letter => return Err(DatePatternError::UnknownLetter { letter, position }),
        }
    }
    open_quote.map_or(Ok(()), |position| {
        Err(DatePatternError::OpenQuote { position })
    })
}

#[cfg(test)]
mod tests {
    use super::{DatePatternError, check};

    #[test]
    fn takes_the_patterns_of_the_field() {
        for pattern in [
            "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
            "EEE, dd MMM yyyy HH:mm:ss Z",
            "yyyy-MM-dd HH:mm:ss''",
            "MM/dd/yyy'T'HH:mm:ssXXX",
            "HH:mmz",
            "milliseconds",
        ] {
            assert_eq!(check(pattern), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn says_where_a_pattern_is_wrong() {
        assert_eq!(
            check("yyyy-MM-ddT"),
            Err(DatePatternError::UnknownLetter {
                letter: 'T',
                position: 11
            })
        );
        assert_eq!(
            check("yyyy-MM-dd'T'HH:mm:ssXXX'"),
            Err(DatePatternError::OpenQuote { position: 25 })
        );
    }
}
