use super::*;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const YEAR: i64 = 365 * 24 * 60 * MINUTE;
/// 2026-11-21 00:00:00 UTC.
const NOW: i64 = 1_795_219_200_000;
const NCP: Duration = Duration::from_secs(240);
/// Of a machine whose clock nobody sets.
const FARTHEST: Duration = Duration::from_hours(24 * 365 * 20);

/// A machine whose wall clock shows `wall` at `born`, and an upstream whose clock shows `NOW` then.
struct Bench {
    skew: Skew,
    wall: i64,
}

impl Bench {
    fn new(machine_ahead: i64) -> Self {
        Self {
            skew: Skew::new(FARTHEST),
            wall: NOW + machine_ahead,
        }
    }

    fn read(&self, steady: i64) -> Reading {
        self.skew.reading(self.wall + steady, steady)
    }

    /// What a signature made now would carry, less the upstream's true time.
    fn off(&self, steady: i64) -> i64 {
        to_millis(self.read(steady).upstream()) - (NOW + steady)
    }

    /// An accepted answer that took `took` ms and says what the upstream's clock shows at its end.
    fn accept(&self, steady: i64, took: i64) {
        self.accept_dated(steady, took, &http_date(NOW + steady + took));
    }

    fn accept_dated(&self, steady: i64, took: i64, date: &str) {
        let sent = self.read(steady);
        self.skew
            .accepted_at(&sent, steady + took, &headers(date), "test");
    }

    fn refuse(&self, steady: i64) -> Option<Correction> {
        self.refuse_dated(steady, &http_date(NOW + steady + 20))
    }

    fn refuse_dated(&self, steady: i64, date: &str) -> Option<Correction> {
        let sent = self.read(steady);
        self.skew
            .refused_at(&sent, steady + 20, &headers(date), NCP, "test")
    }
}

fn http_date(millis: i64) -> String {
    httpdate::fmt_http_date(from_millis(millis))
}

fn headers(date: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::DATE, date.parse().unwrap());
    headers
}

#[tokio::test]
async fn until_an_answer_shows_the_time_the_machine_is_believed() {
    let bench = Bench::new(7 * MINUTE);
    assert_eq!(bench.off(0), 7 * MINUTE);
    assert_eq!(bench.skew.machine_ahead_ms(), None);
}

#[tokio::test]
async fn noise_and_a_few_seconds_move_nothing() {
    for ahead in [0, 3 * SECOND, -3 * SECOND, 4500] {
        let bench = Bench::new(ahead);
        for step in 0..50 {
            // Answers of any duration, each with its part of a second cut off.
            bench.accept(step * 777, step * 37);
            assert_eq!(bench.off(step * 777), ahead, "{ahead} {step}");
        }
    }
}

#[tokio::test]
async fn a_refusal_years_off_is_corrected_to_the_second() {
    for ahead in [10 * YEAR, -10 * YEAR, 6 * MINUTE, -6 * MINUTE] {
        let bench = Bench::new(ahead);
        assert!(bench.refuse(500).is_some(), "{ahead}");
        assert!(bench.off(600).abs() <= 1100, "{ahead}: {}", bench.off(600));
        bench.accept(600, 30);
        assert!(bench.off(700).abs() <= 1100);
    }
}

#[tokio::test]
async fn an_accepted_answer_corrects_before_a_refusal_comes() {
    let bench = Bench::new(4 * MINUTE);
    bench.accept(0, 40);
    assert!(bench.off(50).abs() <= 1100, "{}", bench.off(50));
}

#[tokio::test]
async fn a_slow_answer_proves_little_and_a_quick_one_then_more() {
    let bench = Bench::new(90 * SECOND);
    // It took a minute, and its clock was read at some time within it.
    bench.accept(0, 60 * SECOND);
    assert!(bench.off(61 * SECOND).abs() <= 61 * SECOND);
    bench.accept(62 * SECOND, 20);
    assert!(bench.off(63 * SECOND).abs() <= 1100);
}

#[tokio::test]
async fn a_step_of_the_machines_clock_changes_nothing_once_the_time_is_known() {
    for step in [10 * YEAR, -10 * YEAR, 8 * MINUTE] {
        let mut bench = Bench::new(0);
        bench.accept(0, 20);
        bench.wall += step;
        assert_eq!(bench.off(1000), 0);
        bench.accept(1000, 20);
        assert_eq!(bench.off(2000), 0);
        assert_eq!(bench.read(2000).machine_ahead(), step);
    }
}

#[tokio::test]
async fn a_wrong_key_under_a_right_clock_is_no_reason_to_sign_again() {
    let bench = Bench::new(0);
    assert!(bench.refuse(0).is_none());
    // Nor is a skew that the cloud would have borne.
    assert!(Bench::new(3 * MINUTE).refuse(0).is_none());
}

#[tokio::test]
async fn a_correction_that_is_refused_too_is_taken_back_and_not_tried_again_at_once() {
    let bench = Bench::new(0);
    bench.accept(0, 20);
    let lie = http_date(NOW + 10 * YEAR);
    let correction = bench.refuse_dated(100, &lie).unwrap();
    bench.skew.refute(correction);
    assert_eq!(bench.off(200), 0);
    assert!(bench.refuse_dated(300, &lie).is_none());
    let correction = bench.refuse_dated(300 + 2 * REFUTED_MS, &lie).unwrap();
    bench.skew.refute(correction);
    // An answer to an accepted signature ends the pause.
    assert!(bench.refuse_dated(400, &lie).is_none());
    bench.accept(400, 20);
    assert!(bench.refuse_dated(500, &lie).is_some());
}

#[tokio::test]
async fn calls_refused_together_are_all_signed_again_by_one_correction() {
    let bench = Bench::new(10 * YEAR);
    let sent: Vec<_> = (0..20).map(|at| bench.read(at)).collect();
    let date = headers(&http_date(NOW + 50));
    let corrections: Vec<_> = sent
        .iter()
        .map(|sent| bench.skew.refused_at(sent, 60, &date, NCP, "test").unwrap())
        .collect();
    assert!(bench.off(100).abs() <= 1100);
    // One of them that fails for another reason must not undo what the others rely on.
    bench.skew.refute(corrections[7]);
    assert!(bench.off(100).abs() <= 1100);
}

#[tokio::test]
async fn dates_that_prove_nothing_are_as_none() {
    let bench = Bench::new(0);
    bench.accept(0, 20);
    for date in [
        "",
        "yesterday",
        "1795219200",
        "Sat, 21 Nov 2026 25:00:00 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        &http_date(NOW + 10 * YEAR),
        &http_date(NOW - 10 * YEAR),
    ] {
        bench.accept_dated(100, 20, date);
        assert_eq!(bench.off(200), 0, "{date:?}");
    }
    let mut two = headers(&http_date(NOW + YEAR));
    two.append(header::DATE, http_date(NOW + 2 * YEAR).parse().unwrap());
    let mut cached = headers(&http_date(NOW - YEAR));
    cached.insert(header::AGE, "31536000".parse().unwrap());
    for headers in [two, cached, HeaderMap::new()] {
        let refused = bench
            .skew
            .refused_at(&bench.read(0), 20, &headers, NCP, "test");
        assert!(refused.is_none());
    }
    // Every form of a date that RFC 9110 asks recipients to read.
    for same in [
        "Sat, 21 Nov 2026 00:00:00 GMT",
        "Saturday, 21-Nov-26 00:00:00 GMT",
        "Sat Nov 21 00:00:00 2026",
    ] {
        assert_eq!(date(&headers(same)).map(to_millis), Some(NOW), "{same}");
    }
}

#[tokio::test]
async fn a_hop_leads_no_farther_than_the_bound_whatever_it_says() {
    let day = Duration::from_hours(24);
    let bound = i64::try_from(day.as_millis()).unwrap();
    let bench = |ahead| Bench {
        skew: Skew::new(day),
        ..Bench::new(ahead)
    };
    for (ahead, believed) in [
        (23 * 60 * MINUTE, true),
        (-23 * 60 * MINUTE, true),
        (25 * 60 * MINUTE, false),
        (-25 * 60 * MINUTE, false),
        (12 * YEAR, false),
    ] {
        assert_eq!(bench(ahead).refuse(0).is_some(), believed, "{ahead}");
    }
    // A right clock, and a hop that shows a little later a time with each good answer.
    let bench = bench(0);
    for step in 0..1000 {
        let shown = bench.off(step * SECOND) + NOW + step * SECOND + 10 * MINUTE;
        bench.accept_dated(step * SECOND, 20, &http_date(shown));
        assert!(bench.off(step * SECOND).abs() <= bound, "step {step}");
    }
    assert!(
        bench.off(1000 * SECOND) > bound / 2,
        "the steps were taken at all"
    );
}

#[tokio::test]
async fn refusals_correct_a_few_times_and_then_wait() {
    let bench = Bench::new(0);
    let asked =
        |at: i64, minutes: i64| bench.refuse_dated(at, &http_date(NOW + at + minutes * MINUTE));
    for step in 1..=4 {
        assert!(asked(step * SECOND, step * 10).is_some(), "{step}");
    }
    assert!(asked(5 * SECOND, 50).is_none());
    assert!(asked(CORRECTIONS_MS + 10 * SECOND, 60).is_some());
}

/// Lines of the log.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_operator_is_told_once_and_told_when_it_is_well_again() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut bench = Bench::new(0);
    bench.accept(0, 20);
    bench.wall += 5 * MINUTE;
    for step in 1..20 {
        bench.accept(step * 1000, 20);
    }
    bench.wall -= 5 * MINUTE;
    for step in 20..40 {
        bench.accept(step * 1000, 20);
    }
    let lines = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(
        lines[0].contains("WARN")
            && lines[0].contains("300 s ahead of the upstream's")
            && lines[0].contains("NTP")
    );
    assert!(lines[1].contains("INFO") && lines[1].contains("agrees"));
}
