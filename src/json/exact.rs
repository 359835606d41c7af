//! Whether an f64 holds a JSON number as it was spelt.

/// Significant decimal digits that every f64 keeps (`f64::DIGITS`).
const SAFE_DIGITS: usize = 15;

/// The largest finite f64, for numbers beyond it.
const MAX: &str = "1.7976931348623157e308";

/// True when reading each number of `text` as an f64 and printing it again gives the same decimal.
pub(super) fn all_numbers_exact(text: &str) -> bool {
    let mut exact = true;
    each_number(text, |token, _| exact &= is_exact(token));
    exact
}

/// `text` with numbers beyond f64's range replaced by the largest finite one; `None` when there is
/// none.
pub(super) fn clamp(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut copied = 0;
    each_number(text, |token, at| {
        if token.parse::<f64>().is_ok_and(f64::is_infinite) {
            out.push_str(text.get(copied..at).unwrap_or_default());
            out.push_str(if token.starts_with('-') { "-" } else { "" });
            out.push_str(MAX);
            copied = at + token.len();
        }
    });
    (copied > 0).then(|| {
        out.push_str(text.get(copied..).unwrap_or_default());
        out
    })
}

fn each_number<'a>(text: &'a str, mut see: impl FnMut(&'a str, usize)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while let Some(&inside) = bytes.get(at) {
                    match inside {
                        b'"' => break,
                        b'\\' => at += 2,
                        _ => at += 1,
                    }
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let rest = bytes.get(at..).unwrap_or_default();
                let end = rest
                    .iter()
                    .position(|b| !matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
                    .unwrap_or(rest.len());
                see(text.get(at..at + end).unwrap_or_default(), at);
                at += end;
            }
            _ => at += 1,
        }
    }
}

fn is_exact(token: &str) -> bool {
    let Ok(number) = token.parse::<f64>() else {
        return false;
    };
    if !number.is_finite() {
        return false;
    }
    let (digits, exponent) = normal(token);
    if digits.is_empty() {
        return true;
    }
    // Subnormal numbers hold fewer digits than usual, so they take the long way.
    if digits.len() <= SAFE_DIGITS && number.is_normal() {
        return true;
    }
    // As the writer prints it: of two shortest decimals that are equally near (…98.12 and …98.13
    // for …98.125) printers choose differently.
    serde_json::to_string(&number).is_ok_and(|printed| normal(&printed) == (digits, exponent))
}

/// A decimal as its significant digits (no zeros around) and the power of ten of the first one.
fn normal(token: &str) -> (String, i64) {
    let unsigned = token.trim_start_matches('-');
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let exponent: i64 = exponent
        .trim_start_matches('+')
        .parse()
        .unwrap_or(i64::MAX / 2);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let leading = all.len() - all.trim_start_matches('0').len();
    let digits = all.trim_matches('0').to_owned();
    let place =
        i64::try_from(whole.len()).unwrap_or(i64::MAX / 4) - i64::try_from(leading).unwrap_or(0);
    (digits, exponent.saturating_add(place))
}
