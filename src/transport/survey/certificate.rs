//! Who a certificate is for, who signed it, and when it ends: read from its DER (RFC 5280 §4.1),
//! nothing verified.
//!
//! The verifier of the TLS library checks all of this and tells none of it. Only four fields are
//! read here, by a reader that never looks beyond the bytes it was given.

use std::time::SystemTime;

use time::{Date, Month, PrimitiveDateTime, Time};

/// What is told of one certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// The subject's common name, or its organisation.
    pub subject: String,
    /// The issuer's.
    pub issuer: String,
    /// Not good before.
    pub not_before: Option<SystemTime>,
    /// Not good after.
    pub not_after: Option<SystemTime>,
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;
/// 2.5.4.3, commonName.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
/// 2.5.4.10, organizationName.
const ORGANIZATION: [u8; 3] = [0x55, 0x04, 0x0a];

/// Reads a certificate; `None` for bytes that are none.
#[must_use]
pub fn read(der: &[u8]) -> Option<Certificate> {
    let mut outer = Reader(der);
    let mut certificate = Reader(outer.expect(SEQUENCE)?);
    let mut body = Reader(certificate.expect(SEQUENCE)?);
    if body.0.first() == Some(&VERSION) {
        body.next()?;
    }
    let (_serial, _algorithm) = (body.next()?, body.next()?);
    let issuer = name(body.expect(SEQUENCE)?);
    let mut validity = Reader(body.expect(SEQUENCE)?);
    let (not_before, not_after) = (validity.next()?, validity.next()?);
    let subject = name(body.expect(SEQUENCE)?);
    Some(Certificate {
        subject,
        issuer,
        not_before: moment(not_before),
        not_after: moment(not_after),
    })
}

/// Tag and content of one element after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let count = usize::from(first & 0x7f);
            // Four bytes name more than any certificate holds; none (indefinite length) is not DER.
            if !(1..=4).contains(&count) || rest.len() < count {
                return None;
            }
            let (digits, rest) = rest.split_at(count);
            let length = digits
                .iter()
                .fold(0_usize, |sum, digit| (sum << 8) | usize::from(*digit));
            (length, rest)
        };
        if rest.len() < length {
            return None;
        }
        let (content, rest) = rest.split_at(length);
        self.0 = rest;
        Some((tag, content))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(found, _)| *found == tag)
            .map(|(_, content)| content)
    }
}

/// The common name in a distinguished name, else the organisation, else nothing.
fn name(content: &[u8]) -> String {
    let mut fallback = String::new();
    let mut sets = Reader(content);
    while let Some((SET, set)) = sets.next() {
        let Some(pair) = Reader(set).expect(SEQUENCE) else {
            continue;
        };
        let mut pair = Reader(pair);
        let (Some(kind), Some((_, value))) = (pair.expect(OBJECT_IDENTIFIER), pair.next()) else {
            continue;
        };
        let text: String = String::from_utf8_lossy(value)
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .take(200)
            .collect();
        if kind == COMMON_NAME {
            return text;
        }
        if kind == ORGANIZATION {
            fallback = text;
        }
    }
    fallback
}

/// `YYMMDDhhmmssZ` (years 1950 to 2049) or `YYYYMMDDhhmmssZ`.
fn moment((tag, content): (u8, &[u8])) -> Option<SystemTime> {
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match (tag, text.len()) {
        (UTC_TIME, 12) => {
            let year: i32 = text.get(..2)?.parse().ok()?;
            (
                if year < 50 { 2000 + year } else { 1900 + year },
                text.get(2..)?,
            )
        }
        (GENERALIZED_TIME, 14) => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let part = |at: usize| -> Option<u8> { rest.get(at..at + 2)?.parse().ok() };
    let date = Date::from_calendar_date(year, Month::try_from(part(0)?).ok()?, part(2)?).ok()?;
    let time = Time::from_hms(part(4)?, part(6)?, part(8)?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_times_are_read_from_a_real_certificate() {
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2024, 2, 29);
        parameters.not_after = rcgen::date_time_ymd(2051, 1, 2);
        parameters
            .distinguished_name
            .push(rcgen::DnType::OrganizationName, "acme");
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, "한국 host");
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let found = read(certificate.der()).unwrap();
        assert_eq!(
            (found.subject.as_str(), found.issuer.as_str()),
            ("한국 host", "한국 host")
        );
        let seconds = |at: Option<SystemTime>| {
            at.unwrap()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap()
                .as_secs()
        };
        assert_eq!(seconds(found.not_before), 1_709_164_800);
        assert_eq!(seconds(found.not_after), 2_556_230_400);
    }

    #[test]
    fn bytes_that_are_no_certificate_are_none() {
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let der: &[u8] = key.cert.der();
        assert!(read(der).is_some());
        for end in 0..der.len().min(200) {
            assert_eq!(read(&der[..end]), None, "{end}");
        }
        for bytes in [
            &[][..],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(read(bytes), None);
        }
    }
}
