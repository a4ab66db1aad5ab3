//! Warnings: parts of an accepted request, of any kind, that have no effect.

use crate::polling::field_error::FieldError;
use crate::text::nearest::nearest;

/// So many are shown.
pub const MAX_WARNINGS: usize = 50;

/// Parts of a request without effect, each with its place. Those beyond [`MAX_WARNINGS`] are only counted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Warnings {
    shown: Vec<FieldError>,
    more: usize,
}

impl Warnings {
    /// Notes what has no effect at `field`, and why.
    pub fn note(&mut self, field: &str, why: impl FnOnce() -> String) {
        if self.shown.len() < MAX_WARNINGS {
            self.shown.push(FieldError::new(field, why()));
        } else {
            self.more += 1;
        }
    }

    /// Notes that nobody knows the member `name`, whose place is behind `prefix`, and which one may be meant.
    pub fn unknown<'a>(
        &mut self,
        prefix: &str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) {
        self.note(&format!("{prefix}{name}"), || {
            format!("is not known{}", suggestion(name, known))
        });
    }

    /// Those that are shown, as what is wrong with a request that is not done.
    pub fn into_errors(self) -> Vec<FieldError> {
        self.shown
    }

    /// A line each, and one that counts the rest.
    pub fn into_lines(self) -> Vec<String> {
        let more = (0 < self.more).then(|| format!("and {} more", self.more));
        let lines = self.shown.iter().map(ToString::to_string);
        lines.chain(more).collect()
    }
}

/// The known name that may be meant, as the end of a sentence; nothing, where none is near.
pub fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = nearest(name, known);
    near.map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

#[cfg(test)]
mod tests {
    use super::{MAX_WARNINGS, Warnings};

    #[test]
    fn says_where_it_is_and_what_may_be_meant() {
        let mut warnings = Warnings::default();
        warnings.unknown("configuration.", "pasword", ["username", "password"]);
        warnings.unknown("", "x", ["name"]);
        assert_eq!(
            warnings.into_lines(),
            [
                "configuration.pasword: is not known; did you mean password?",
                "x: is not known"
            ]
        );
    }

    #[test]
    fn shows_50_short_ones_and_counts_the_rest() {
        let lines = |count: usize| {
            let mut warnings = Warnings::default();
            for _ in 0..count {
                warnings.unknown("", &"x".repeat(10_000), ["name"]);
            }
            warnings.into_lines()
        };
        assert_eq!(lines(MAX_WARNINGS).len(), 50);
        let lines = lines(MAX_WARNINGS + 7);
        assert_eq!(lines.len(), 51);
        assert_eq!(lines[50], "and 7 more");
        assert!(lines.iter().all(|line| line.chars().count() < 250));
    }
}
