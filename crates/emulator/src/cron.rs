//! Five-field UNIX cron, `minute hour day-of-month month day-of-week`, and a table of what is due.
//!
//! Knows no cloud and no time zone: whoever asks brings the zoned time.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, FixedOffset};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// Named schedules.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    entries: Mutex<BTreeMap<String, Entry>>,
}

#[derive(Debug)]
struct Entry {
    cron: Cron,
    seen: DateTime<FixedOffset>,
}

/// Reads a pattern.
///
/// # Errors
///
/// One sentence when it has not exactly five fields or one of them is wrong.
pub(super) fn parse(pattern: &str) -> Result<Cron, String> {
    let fields = pattern.split_whitespace().count();
    if fields != 5 {
        return Err(format!(
            "a cron pattern has five fields (minute hour day month weekday), not {fields}"
        ));
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    parser
        .parse(pattern)
        .map_err(|error| format!("the cron pattern is wrong: {error}"))
}

impl Schedule {
    /// Adds or replaces a schedule; only times after `now` count.
    pub(super) fn set(&self, name: &str, cron: Cron, now: DateTime<FixedOffset>) {
        self.lock()
            .insert(name.to_owned(), Entry { cron, seen: now });
    }

    pub(super) fn remove(&self, name: &str) {
        self.lock().remove(name);
    }

    /// The names whose time has come since the last call. Several missed times count once, as after
    /// a pause.
    pub(super) fn due(&self, now: DateTime<FixedOffset>) -> Vec<String> {
        let mut due = Vec::new();
        for (name, entry) in self.lock().iter_mut() {
            // A pattern such as 30 February never comes: that is an error here, not a time.
            let next = entry.cron.find_next_occurrence(&entry.seen, false);
            if next.is_ok_and(|next| next <= now) {
                entry.seen = now;
                due.push(name.clone());
            }
        }
        due
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339(text).unwrap()
    }

    #[test]
    fn fires_once_when_its_minute_comes_in_its_zone() {
        let schedule = Schedule::default();
        schedule.set(
            "nightly",
            parse("0 3 * * *").unwrap(),
            at("2026-01-01T02:59:30+09:00"),
        );
        assert!(schedule.due(at("2026-01-01T02:59:59+09:00")).is_empty());
        assert_eq!(schedule.due(at("2026-01-01T03:00:00+09:00")), ["nightly"]);
        assert!(schedule.due(at("2026-01-01T03:00:01+09:00")).is_empty());
        assert_eq!(schedule.due(at("2026-01-05T03:00:00+09:00")), ["nightly"]);
        schedule.remove("nightly");
        assert!(schedule.due(at("2026-01-09T03:00:00+09:00")).is_empty());
    }

    #[test]
    fn a_date_that_never_comes_never_fires() {
        let Ok(cron) = parse("0 0 30 2 *") else {
            return;
        };
        let schedule = Schedule::default();
        schedule.set("never", cron, at("2026-01-01T00:00:00+09:00"));
        assert!(schedule.due(at("2027-01-01T00:00:00+09:00")).is_empty());
    }

    #[test]
    fn five_fields_only() {
        for pattern in [
            "",
            "* * * *",
            "* * * * * *",
            "@daily",
            "61 * * * *",
            "a b c d e",
        ] {
            assert!(parse(pattern).is_err(), "{pattern}");
        }
        for pattern in ["*/5 * * * *", "0 9-18 * * 1-5", "0 0 1,15 * *"] {
            assert!(parse(pattern).is_ok(), "{pattern}");
        }
    }
}
