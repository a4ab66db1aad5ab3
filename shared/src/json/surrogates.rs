//! Halves of surrogate pairs. JSON writes what is beyond 16 bits as two escapes, `\ud83d\ude00`; a text that was cut
//! between them has one alone, which is no character.

use std::borrow::Cow;

/// The digits of U+FFFD, which stands for what is no character.
const REPLACEMENT: &str = "fffd";
/// `\ud83d`
const ESCAPE_BYTES: usize = 6;

/// The same JSON with U+FFFD for each lone half.
pub(super) fn mended(json: &str) -> Cow<'_, str> {
    let mut mended = Cow::Borrowed(json);
    for start in lone_halves(json) {
        let end = start + ESCAPE_BYTES;
        mended
            .to_mut()
            .replace_range(end - REPLACEMENT.len()..end, REPLACEMENT);
    }
    mended
}

/// Where the escapes of lone halves begin. Backslashes stand in strings alone, so the text is not read further.
pub(super) fn lone_halves(json: &str) -> impl Iterator<Item = usize> {
    let bytes = json.as_bytes();
    let mut position = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = bytes.get(position..)?;
            let start = position + rest.iter().position(|byte| *byte == b'\\')?;
            match code_unit(bytes, start) {
                Some(0xd800..=0xdbff)
                    if matches!(
                        code_unit(bytes, start + ESCAPE_BYTES),
                        Some(0xdc00..=0xdfff)
                    ) =>
                {
                    position = start + 2 * ESCAPE_BYTES;
                }
                Some(0xd800..=0xdfff) => {
                    position = start + ESCAPE_BYTES;
                    return Some(start);
                }
                // The backslash and what it escapes.
                _ => position = start + 2,
            }
        }
    })
}

/// What `\u` and four digits stand for.
fn code_unit(bytes: &[u8], start: usize) -> Option<u16> {
    let digits = bytes
        .get(start..start + ESCAPE_BYTES)?
        .strip_prefix(b"\\u")?;
    let mut unit = [0; 2];
    hex::decode_to_slice(digits, &mut unit).ok()?;
    Some(u16::from_be_bytes(unit))
}
