//! The machine's clock is wrong, or the upstream's is: signatures carry the upstream's time, and
//! nobody notices.

use std::time::Duration;

use faas_sidecar::proto::*;
use tonic::Code;

use crate::support::answer::{Answer, content, http};
use crate::support::bench::{Bench, hello, keys, success, wrong_keys};
use crate::support::details::told;
use crate::support::upstream::Date;

const MINUTE: i64 = 60_000;
const YEAR: i64 = 365 * 24 * 60 * MINUTE;
/// What is signed anew is no retry.
const NO_RETRY: &str = "retry: {max_attempts: 1, budget: {ratio: 0, min_per_second: 0}}\nmax_clock_correction: 200000h";
/// Its corrections as they are bounded by default.
const BOUNDED: &str = "retry: {max_attempts: 1, budget: {ratio: 0, min_per_second: 0}}";

async fn bench(ahead: i64) -> Bench {
    let bench = Bench::with(NO_RETRY).await;
    bench.upstream.set_clock(ahead);
    bench.upstream.set_date(Date::Clock);
    bench
}

/// Whether each request so far was accepted.
fn signed(bench: &Bench) -> Vec<bool> {
    bench
        .upstream
        .received()
        .iter()
        .map(|request| request.signed)
        .collect()
}

async fn list(bench: &Bench) -> Result<tonic::Response<ListPackagesResponse>, tonic::Status> {
    bench
        .packages()
        .list_packages(ListPackagesRequest::default())
        .await
}

#[tokio::test]
async fn years_off_costs_one_more_request_once() {
    for ahead in [10 * YEAR, -10 * YEAR, 6 * MINUTE, -6 * MINUTE] {
        let bench = bench(ahead).await;
        // A refused request takes its answer out of the script.
        for _ in 0..4 {
            bench.upstream.push(success("{}"));
        }
        let answer = bench.invocations().invoke(hello()).await.unwrap();
        assert_eq!(
            answer.metadata().get("faas-attempts").unwrap(),
            "2",
            "{ahead}"
        );
        assert_eq!(signed(&bench), [false, true], "{ahead}");
        bench.invoke(hello()).await.unwrap();
        bench.invoke(hello()).await.unwrap();
        assert_eq!(signed(&bench), [false, true, true, true], "{ahead}");
    }
}

#[tokio::test]
async fn a_hop_that_refuses_gets_no_signature_for_a_time_far_away() {
    for (ahead, attempts) in [
        (20 * 60 * MINUTE, 2),
        (-20 * 60 * MINUTE, 2),
        (30 * 60 * MINUTE, 1),
        (-30 * 60 * MINUTE, 1),
        (12 * YEAR, 1),
    ] {
        let bench = Bench::with(BOUNDED).await;
        bench.upstream.set_clock(ahead);
        bench.upstream.set_date(Date::Clock);
        bench.upstream.push(success("{}"));
        bench.upstream.push(success("{}"));
        let told = bench
            .invoke(hello())
            .await
            .map_err(|status| told(&status).code);
        assert_eq!(told.is_ok(), attempts == 2, "{ahead}: {told:?}");
        let received = bench.upstream.received();
        assert_eq!(received.len(), attempts, "{ahead}");
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        let now = i64::try_from(now.as_millis()).unwrap();
        for request in received {
            let sent: i64 = request
                .header("x-ncp-apigw-timestamp")
                .unwrap()
                .parse()
                .unwrap();
            assert!(
                (sent - now).abs() < 25 * 60 * MINUTE,
                "{ahead}: signed for {sent}"
            );
        }
    }
}

#[tokio::test]
async fn a_drift_is_followed_before_anything_is_refused() {
    let bench = bench(0).await;
    for minutes in [4, 8, 12, 8, 4, 0, -4, -8] {
        bench.upstream.set_clock(minutes * MINUTE);
        let date = bench.upstream.http_date();
        bench.upstream.push(content("[]").header("Date", &date));
        list(&bench).await.unwrap();
    }
    assert_eq!(signed(&bench), [true; 8]);
}

#[tokio::test]
async fn a_step_under_many_calls_in_flight_fails_none_of_them() {
    let bench = Bench::with(NO_RETRY).await;
    bench.upstream.set_date(Date::Clock);
    let date = bench.upstream.http_date();
    bench.upstream.push(content("[]").header("Date", &date));
    list(&bench).await.unwrap();
    for step in [10 * YEAR, -10 * YEAR, 0] {
        bench.upstream.set_clock(step);
        let before = bench.upstream.received().len();
        for _ in 0..60 {
            // Not blind: a signature with the wrong time is refused.
            bench.upstream.push(Answer {
                blind: false,
                ..success("{}").after(Duration::from_millis(20))
            });
        }
        let calls = (0..30).map(|_| bench.invoke(hello()));
        for answer in futures_util::future::join_all(calls).await {
            answer.unwrap();
        }
        let asked = bench.upstream.received().len() - before;
        assert!((31..=60).contains(&asked), "{asked} requests for 30 calls");
        // What is left of the script is used up by calls that are signed well at once.
        while bench.upstream.unused() > 0 {
            bench.invoke(hello()).await.unwrap();
            assert!(bench.upstream.received().last().unwrap().signed);
        }
    }
}

#[tokio::test]
async fn a_wrong_key_is_sent_once() {
    let bench = Bench::whole("", NO_RETRY, &wrong_keys()).await;
    bench.upstream.set_date(Date::Clock);
    for count in 1..4 {
        let told = told(&bench.invoke(hello()).await.unwrap_err());
        assert_eq!((told.code, told.attempts), (Code::Unauthenticated, Some(1)));
        assert_eq!(bench.upstream.received().len(), count);
    }
}

#[tokio::test]
async fn a_wrong_key_under_a_wrong_clock_is_sent_twice_and_then_once_a_call() {
    let bench = Bench::whole("", NO_RETRY, &wrong_keys()).await;
    bench.upstream.set_clock(10 * YEAR);
    bench.upstream.set_date(Date::Clock);
    for count in [2, 3, 4] {
        let told = told(&bench.invoke(hello()).await.unwrap_err());
        assert_eq!(
            (told.code, told.execution()),
            (Code::Unauthenticated, "not_started")
        );
        assert_eq!(bench.upstream.received().len(), count);
    }
}

#[tokio::test]
async fn a_refusal_with_a_date_that_says_nothing_is_believed_as_it_stands() {
    for date in [
        Date::Missing,
        Date::Text(String::new()),
        Date::Text("yesterday".to_owned()),
        Date::Text("Thu, 01 Jan 1970 00:00:00 GMT".to_owned()),
        Date::Text("Fri, 31 Dec 9999 23:59:59 GMT".to_owned()),
        Date::Text("1795219200".to_owned()),
    ] {
        let bench = bench(10 * YEAR).await;
        bench.upstream.set_date(date.clone());
        let told = told(&bench.invoke(hello()).await.unwrap_err());
        assert_eq!(
            (told.code, told.attempts),
            (Code::Unauthenticated, Some(1)),
            "{date:?}"
        );
    }
}

#[tokio::test]
async fn a_date_that_lies_on_good_and_failed_answers_breaks_nothing() {
    let bench = bench(0).await;
    let lie = "Mon, 21 Nov 2016 00:00:00 GMT";
    for answer in [
        success("{}").header("Date", lie),
        http(503, "{}").header("Date", lie),
        success("{}").header("Date", "Fri, 21 Nov 2036 00:00:00 GMT"),
        success("{}").header("Date", ""),
    ] {
        bench.upstream.push(answer);
        let _ = bench.invoke(hello()).await;
    }
    assert_eq!(signed(&bench), [true; 4]);
    // A refusal that lies is tried, found out, and leaves the time as it was.
    bench.upstream.set_clock(10 * YEAR);
    bench.upstream.set_date(Date::Text(lie.to_owned()));
    bench.invoke(hello()).await.unwrap_err();
    assert_eq!(bench.upstream.received().len(), 6);
    bench.upstream.set_clock(0);
    bench.upstream.push(success("{}"));
    bench.invoke(hello()).await.unwrap();
}

#[tokio::test]
async fn signing_again_keeps_the_callers_deadline() {
    let bench = bench(10 * YEAR).await;
    bench.upstream.push(success("{}"));
    bench
        .upstream
        .push(success("{}").after(Duration::from_secs(3)));
    let request = crate::support::bench::within(Duration::from_millis(300), hello());
    let told = told(&bench.invocations().invoke(request).await.unwrap_err());
    told.assert(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "unknown",
        "sidecar",
    );
    assert_eq!(told.attempts, Some(2));
}

#[tokio::test]
async fn a_list_of_activations_ends_at_the_upstreams_time() {
    let bench = Bench::whole("", NO_RETRY, &keys()).await;
    bench.upstream.set_clock(10 * YEAR);
    bench.upstream.set_date(Date::Clock);
    bench.upstream.push(content("[]"));
    bench.upstream.push(content("[]"));
    list(&bench).await.unwrap();
    bench
        .upstream
        .push(content(r#"{"activations":[],"totalCount":0}"#));
    let request = ListActivationsRequest::default();
    bench.invocations().list_activations(request).await.unwrap();
    let asked = bench.upstream.received().pop().unwrap();
    let end: i64 = asked.query("end").unwrap().parse().unwrap();
    let sent: i64 = asked
        .header("x-ncp-apigw-timestamp")
        .unwrap()
        .parse()
        .unwrap();
    assert!((end - sent).abs() < MINUTE, "{end} is not about {sent}");
}
