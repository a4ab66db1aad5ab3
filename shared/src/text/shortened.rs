//! Foreign text in what we say: no longer than it takes to know it again.

/// The text, or so many of its characters and an ellipsis.
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn counts_characters() {
        assert_eq!(shortened("éàü", 3), "éàü");
        assert_eq!(shortened("éàü", 2), "éà…");
        assert_eq!(shortened("", 0), "");
    }
}
