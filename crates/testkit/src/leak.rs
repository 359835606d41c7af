//! Looks for secrets in everything that leaves the process: as they are, in base64 at any offset,
//! in hex, in URLs.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Fails if a sink holds one of the secrets in any form.
#[track_caller]
pub fn assert_clean(sinks: &[(&str, &[u8])], secrets: &[&str]) {
    for (sink, bytes) in sinks {
        assert!(!bytes.is_empty(), "{sink} is empty, which proves nothing");
        for secret in secrets {
            for form in forms(secret) {
                let found = bytes
                    .windows(form.len())
                    .any(|window| window.eq_ignore_ascii_case(form.as_bytes()));
                assert!(!found, "{secret:?} is in {sink}, as {form}");
            }
        }
    }
}

/// The spellings of a secret. In a longer base64 text it may begin at any of three offsets; the
/// letters at its ends depend on its neighbours and are left out.
fn forms(secret: &str) -> Vec<String> {
    assert!(
        secret.len() >= 12,
        "{secret:?} is too short to be recognised"
    );
    let mut forms = vec![secret.to_owned(), hex::encode(secret)];
    for offset in 0..3 {
        let padded = [&b"xxx"[..offset], secret.as_bytes()].concat();
        for alphabet in [STANDARD, URL_SAFE] {
            let text = alphabet.encode(&padded);
            let text = text.trim_end_matches('=');
            let (first, last) = (if offset == 0 { 0 } else { 4 }, text.len() - 2);
            forms.push(text[first..last].to_owned());
        }
    }
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    forms.push(encoded);
    forms.sort();
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_found() {
        let secret = "canary/of+the mine";
        let hidden = [
            secret.to_owned(),
            hex::encode(format!("a{secret}b")),
            hex::encode_upper(secret),
            STANDARD.encode(format!("ab{secret}c")),
            URL_SAFE.encode(format!("a{secret}")),
            STANDARD.encode(secret),
            "canary%2Fof%2Bthe+mine".to_owned(),
        ];
        for text in hidden {
            let found =
                std::panic::catch_unwind(|| assert_clean(&[("x", text.as_bytes())], &[secret]));
            assert!(found.is_err(), "{text}");
        }
        assert_clean(&[("x", b"canary of the mine")], &[secret]);
    }
}
