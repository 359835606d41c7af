//! The canonical request: one spelling for every request that means the same.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::Parts;

/// The canonical request, and the names of its headers joined by `;`.
pub(super) fn request(parts: &Parts<'_>) -> (Vec<u8>, String) {
    let mut headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        // A hop may drop or rewrite such names, so no SDK signs them.
        .filter(|(name, _)| !name.contains('_'))
        .collect();
    headers.sort_unstable();
    let url = parts.url;
    let mut out = Vec::with_capacity(url.as_str().len() * 2 + headers.len() * 64 + 160);
    out.extend_from_slice(parts.method.as_bytes());
    out.push(b'\n');
    path(url.path(), &mut out);
    out.push(b'\n');
    query(url.query().unwrap_or_default(), &mut out);
    out.push(b'\n');
    let mut names = String::with_capacity(headers.len() * 16);
    for (name, value) in headers {
        if !names.is_empty() {
            names.push(';');
        }
        names.push_str(name);
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        out.extend_from_slice(value.trim_ascii());
        out.push(b'\n');
    }
    for part in ["\n", &names, "\n", parts.payload_hash] {
        out.extend_from_slice(part.as_bytes());
    }
    (out, names)
}

/// `text` with everything percent-encoded but `A–Z a–z 0–9 - _ . ~`, and what `keep` holds.
pub(crate) fn encode(bytes: impl IntoIterator<Item = u8>, keep: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'.' | b'~')
            || keep.contains(&byte)
        {
            out.push(byte);
        } else {
            out.extend_from_slice(&[
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]);
        }
    }
}

/// Decoded as a whole and encoded by segment, so that both spellings of a URN sign alike; always
/// with a slash at its end, which is never sent.
fn path(path: &str, out: &mut Vec<u8>) {
    encode(percent_decode_str(path), b"/", out);
    if out.last() != Some(&b'/') {
        out.push(b'/');
    }
}

/// Pairs in the order of their decoded keys and values.
fn query(query: &str, out: &mut Vec<u8>) {
    if query.is_empty() {
        return;
    }
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        url::form_urlencoded::parse(query.as_bytes()).collect();
    pairs.sort_unstable();
    for (index, (key, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        encode(key.bytes(), b"", out);
        out.push(b'=');
        encode(value.bytes(), b"", out);
    }
}
