//! "Did you mean …?": the nearest of a few words.

/// The candidate nearest to what was written, if it is near enough to be meant.
pub(crate) fn nearest<'c>(
    written: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let written = plain(written);
    candidates
        .into_iter()
        .map(|candidate| (distance(&written, &plain(candidate)), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= 1.max(candidate.len().max(written.len()) / 3))
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replace = rows[i][j] + usize::from(x != y);
            let mut best = replace.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let keys = ["max_attempts", "initial_backoff", "listen", "site"];
        assert_eq!(nearest("max-attempts", keys), Some("max_attempts"));
        assert_eq!(nearest("maxAttempt", keys), Some("max_attempts"));
        assert_eq!(nearest("lisetn", keys), Some("listen"));
        assert_eq!(nearest("sit", keys), Some("site"));
        assert_eq!(nearest("zebra", keys), None);
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn a_swap_is_one_step() {
        assert_eq!(distance("pubilc", "public"), 1);
        assert_eq!(distance("", "abc"), 3);
    }
}
