//! Event patterns, as they stand in the documentation.

/// The pages that have patterns.
pub(super) const PAGES: [(&str, &str); 2] = [
    ("README.md", include_str!("../../../README.md")),
    ("docs/consume.md", include_str!("../../../docs/consume.md")),
];

/// The last column of a table of patterns.
const COLUMN: &str = " event pattern |";

/// A pattern, as text, and what it is said to be for: the cell beside it, or the snippet that it is in.
pub(super) struct Documented {
    pub(super) what: String,
    pub(super) pattern: String,
}

/// All patterns of a page: in tables, in commands and in templates.
pub(super) fn patterns(page: &str) -> Vec<Documented> {
    let mut found = Vec::new();
    let (mut heading, mut in_table) = ("", false);
    for line in page.lines() {
        heading = line.strip_prefix("### ").unwrap_or(heading);
        heading = line.strip_prefix("## ").unwrap_or(heading);
        in_table = line.starts_with('|') && (in_table || line.ends_with(COLUMN));
        if in_table {
            found.extend(in_row(line));
        } else if let Some(pattern) = in_snippet(line) {
            found.push(Documented {
                what: format!("({heading})"),
                pattern: pattern.to_owned(),
            });
        }
    }
    found
}

/// Of a table's head and its rule nothing.
fn in_row(line: &str) -> Option<Documented> {
    let cells = line.strip_prefix("| ")?;
    let cells = cells.strip_suffix(" |").unwrap();
    let (what, pattern) = cells.split_once(" | ").unwrap();
    let is_head = pattern.starts_with("event pattern");
    (!is_head).then(|| Documented {
        what: what.to_owned(),
        pattern: pattern.trim_matches('`').to_owned(),
    })
}

/// `--event-pattern '…'` of a command; `EventPattern: …` and `Pattern: …` of a template, on one line.
fn in_snippet(line: &str) -> Option<&str> {
    if let Some((_, argument)) = line.split_once("--event-pattern '") {
        return argument.split('\'').next();
    }
    line.split_once("Pattern: ").map(|(_, pattern)| pattern)
}

#[test]
fn no_pattern_is_overlooked() {
    for (page, text) in PAGES {
        // Each names its source, and an example of an event names it otherwise.
        let written = text.matches(r#""source": ["#).count();
        assert_eq!(patterns(text).len(), written, "{page}");
        assert!(text.matches(r#""source""#).count() == written + 1, "{page}");
    }
}
