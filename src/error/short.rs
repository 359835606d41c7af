//! What callers and upstreams name, no longer than people read.

use std::borrow::Cow;

/// Characters that are shown of a name or an id, wherever it is shown.
pub const NAME: usize = 256;

/// The text, or its first `most` characters and an ellipsis.
#[must_use]
pub fn short(text: &str, most: usize) -> Cow<'_, str> {
    // No text has more characters than bytes.
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned([&text[..end], "…"].concat()),
    }
}

/// An id in ASCII that an upstream gave, in the length in which all of them are kept and shown.
#[must_use]
pub fn short_id(id: &str) -> String {
    id.get(..NAME).unwrap_or(id).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_only_when_it_is_longer() {
        for (text, shown) in [
            ("", ""),
            ("abc", "abc"),
            ("abcd", "abc…"),
            ("한글날", "한글날"),
            ("한글날들", "한글날…"),
        ] {
            assert_eq!(short(text, 3), shown);
        }
    }
}
