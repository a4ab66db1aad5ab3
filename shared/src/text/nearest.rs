//! The known name that a misspelt one was meant to be.

/// The known name that is nearest to `name`, if it is near enough to be meant: with at most one edit for every three letters of
/// the known name, behind the parts before a dot that both begin with. An edit puts in, takes out or replaces a letter, or
/// exchanges two neighbours. The case does not matter, and `name` may lack the parts before a dot.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<_> = name.to_lowercase().chars().collect();
    let measured = known
        .into_iter()
        .filter_map(|known| Some((known, least(&name, known)?)));
    let nearest = measured.min_by_key(|(_, distance)| *distance)?;
    Some(nearest.0)
}

/// The least distance of the name from the known one and from its last parts.
fn least(name: &[char], known: &str) -> Option<usize> {
    let dots = known.match_indices('.').map(|(dot, _)| &known[dot + 1..]);
    let near = std::iter::once(known).chain(dots).filter_map(|part| {
        let part: Vec<_> = part.to_lowercase().chars().collect();
        let common = common_parts(name, &part);
        let (name, part) = (&name[common..], &part[common..]);
        // As near as they are by length alone; beyond that there is nothing to measure, so that a long name costs nothing.
        let is_near = |distance: usize| distance * 3 <= part.len();
        is_near(name.len().abs_diff(part.len()))
            .then(|| distance(name, part))
            .filter(|distance| is_near(*distance))
    });
    near.min()
}

/// The length of the parts, each with its dot, that both begin with.
fn common_parts(left: &[char], right: &[char]) -> usize {
    let same = left
        .iter()
        .zip(right)
        .take_while(|(left, right)| left == right);
    let same = same.count();
    let dot = left[..same].iter().rposition(|letter| *letter == '.');
    dot.map_or(0, |dot| dot + 1)
}

/// How many letters are to be put in, taken out or replaced, or neighbours exchanged, to make one text of the other
/// (optimal string alignment).
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, letter) in left.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != other);
            let mut cost = replaced.min(last[column + 1] + 1).min(next[column] + 1);
            let is_exchange =
                0 < row && 0 < column && left[row - 1] == *other && right[column - 1] == *letter;
            if is_exchange {
                cost = cost.min(before[column - 1] + 1);
            }
            next.push(cost);
        }
        before = std::mem::replace(&mut last, next);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const KNOWN: [&str; 6] = [
        "name",
        "tags",
        "source",
        "event.notification.enabled",
        "event.notification.signature.key",
        "event.poller.refresh_interval",
    ];

    #[test]
    fn a_letter_more_or_less_or_another_or_two_exchanged_are_near() {
        for (name, meant) in [
            ("nmae", "name"),
            ("tag", "tags"),
            ("soure", "source"),
            ("Sourze", "source"),
            ("event.notification.enable", "event.notification.enabled"),
            (
                "event.notification.signature.keyy",
                "event.notification.signature.key",
            ),
            ("refresh_intervall", "event.poller.refresh_interval"),
            ("poller.refresh_interval", "event.poller.refresh_interval"),
        ] {
            assert_eq!(nearest(name, KNOWN), Some(meant), "{name}");
        }
    }

    #[test]
    fn what_is_far_from_all_is_near_to_none() {
        let long = "name".repeat(100_000);
        for name in [
            "",
            "x",
            "mane tag",
            "oauth.api.key",
            "é",
            "event.notification.type",
            &long,
        ] {
            assert_eq!(nearest(name, KNOWN), None, "{name:.20}");
        }
    }
}
