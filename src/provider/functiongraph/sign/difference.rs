//! Where two canonical requests part ways: ours, and the one that a gateway or another tool
//! computed.

/// The first part that differs, in the order in which the canonical request holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The method: ours, theirs.
    Method(String, String),
    /// The canonical path: ours, theirs.
    Path(String, String),
    /// The canonical query: ours, theirs.
    Query(String, String),
    /// A signed header, by name: it differs, or one side has not got it. Values may be secret and
    /// are not held.
    Header(String),
    /// The list of signed headers: ours, theirs.
    SignedHeaders(String, String),
    /// The body's hash: ours, theirs.
    BodyHash(String, String),
}

/// The canonical request in a gateway's words: "…canonicalRequest: …" with `|` for line ends, on
/// gateways that show it (`huaweicloud-sdk-nodejs-v3` issue #10 and others show samples).
#[must_use]
pub fn told_canonical(words: &str) -> Option<String> {
    let (_, text) = words.split_once("canonicalRequest")?;
    let text = text
        .trim_start_matches([':', '=', ' ', '"'])
        .trim_end_matches(['"', ' ']);
    let text = text.replace('|', "\n");
    (text.lines().count() >= 6).then_some(text)
}

/// The first difference between two canonical requests; `None` when they are the same. Where their
/// side hides a value (`<hidden>`), it counts as the same.
#[must_use]
pub fn difference(ours: &str, theirs: &str) -> Option<Difference> {
    let (ours, theirs) = (Split::of(ours), Split::of(theirs));
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    type Make = fn(String, String) -> Difference;
    let parts: [(&str, &str, Make); 3] = [
        (ours.method, theirs.method, Difference::Method),
        (ours.path, theirs.path, Difference::Path),
        (ours.query, theirs.query, Difference::Query),
    ];
    for (a, b, make) in parts {
        if a != b {
            let (a, b) = pair(a, b);
            return Some(make(a, b));
        }
    }
    for line in ours.headers.iter().chain(&theirs.headers) {
        let name = line.split(':').next().unwrap_or_default();
        let find = |headers: &[&str]| -> Option<String> {
            let own = |line: &&&str| line.split(':').next() == Some(name);
            headers.iter().find(own).map(|line| (*line).to_owned())
        };
        let (a, b) = (find(&ours.headers), find(&theirs.headers));
        let hidden = b.as_deref().is_some_and(|line| line.ends_with(":<hidden>"));
        if a != b && !(hidden && a.is_some()) {
            return Some(Difference::Header(name.to_owned()));
        }
    }
    if ours.names != theirs.names {
        let (a, b) = pair(ours.names, theirs.names);
        return Some(Difference::SignedHeaders(a, b));
    }
    if ours.hash != theirs.hash {
        let (a, b) = pair(ours.hash, theirs.hash);
        return Some(Difference::BodyHash(a, b));
    }
    None
}

/// A canonical request taken apart; what is missing is empty.
#[derive(Default)]
struct Split<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: Vec<&'a str>,
    names: &'a str,
    hash: &'a str,
}

impl<'a> Split<'a> {
    fn of(text: &'a str) -> Self {
        let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
        let mut next = || lines.next().unwrap_or_default();
        let (method, path, query) = (next(), next(), next());
        let mut headers = Vec::new();
        loop {
            match next() {
                "" => break,
                line => headers.push(line),
            }
        }
        Self {
            method,
            path,
            query,
            headers,
            names: next(),
            hash: next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str =
        "GET\n/v2/p/\na=1\nhost:h\nx-sdk-date:20240102T030405Z\n\nhost;x-sdk-date\ne3b0";

    #[test]
    fn the_first_difference_is_named() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        for (change, to, expected) in [
            (
                "GET",
                "POST",
                Difference::Method(pair("GET", "").0, "POST".to_owned()),
            ),
            (
                "/v2/p/",
                "/p/",
                Difference::Path("/v2/p/".to_owned(), "/p/".to_owned()),
            ),
            (
                "a=1",
                "a=1&b=2",
                Difference::Query("a=1".to_owned(), "a=1&b=2".to_owned()),
            ),
            (
                "host:h",
                "host:other",
                Difference::Header("host".to_owned()),
            ),
            ("host:h\n", "", Difference::Header("host".to_owned())),
            (
                "host:h\n",
                "host:h\nx-more:1\n",
                Difference::Header("x-more".to_owned()),
            ),
            (
                "e3b0",
                "ffff",
                Difference::BodyHash("e3b0".to_owned(), "ffff".to_owned()),
            ),
        ] {
            assert_eq!(
                difference(OURS, &OURS.replacen(change, to, 1)),
                Some(expected)
            );
        }
        assert_eq!(difference(OURS, OURS), None);
        let later = OURS.replace("030405", "030406");
        assert_eq!(
            difference(OURS, &later),
            Some(Difference::Header("x-sdk-date".to_owned()))
        );
    }

    #[test]
    fn a_gateways_words_give_its_canonical_request() {
        let words = format!(
            "verify aksk signature fail, canonicalRequest:{}",
            OURS.replace('\n', "|")
        );
        assert_eq!(told_canonical(&words).as_deref(), Some(OURS));
        assert_eq!(told_canonical("verify aksk signature fail"), None);
        assert_eq!(told_canonical("canonicalRequest: ?"), None);
    }
}
