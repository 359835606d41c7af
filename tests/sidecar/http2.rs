//! HTTP/2 to the cloud: what a server says about a stream it did not begin is believed, and nothing
//! else.
//!
//! The server writes raw frames, so that it can say goodbye, refuse and break off at will (RFC
//! 9113).

use std::time::Duration;

use faas_sidecar::proto::InvokeRequest;
use tonic::Code;

use crate::support::bench::{connect, hello};
use crate::support::cloud::{Cloud, on_both_clouds};
use crate::support::details::told_by;
use crate::support::frames::{INTERNAL_ERROR, REFUSED_STREAM};
use crate::support::http2::{Act, Upstream};

fn run() -> InvokeRequest {
    hello()
}

const ONCE: &str = ", retry: {max_attempts: 1}";
const QUICK: &str =
    ", retry: {initial_backoff: 1ms, max_backoff: 2ms, budget: {ratio: 1, min_per_second: 100}}";

on_both_clouds! {
    calls_that_begin_together_share_the_first_connection,
    a_stream_that_the_server_refused_was_not_started_and_is_repeated,
    a_stream_that_broke_otherwise_may_have_run_and_is_not_repeated,
    streams_beyond_a_goodbye_are_repeated_elsewhere_and_those_below_get_their_answer,
    an_answer_that_breaks_off_may_have_been_carried_out,
    a_connection_that_fell_silent_is_not_used_again,
}

async fn calls_that_begin_together_share_the_first_connection(cloud: Cloud) {
    let upstream = Upstream::start(cloud, &[]).await;
    let (_sidecar, client) = upstream.sidecar(ONCE);
    let calls = (0..40).map(|_| {
        let mut client = client.clone();
        async move { client.invoke(run()).await }
    });
    for answer in futures_util::future::join_all(calls).await {
        assert!(answer.unwrap().into_inner().activation.unwrap().success);
    }
    assert_eq!(upstream.requests(), [40]);
}

async fn a_stream_that_the_server_refused_was_not_started_and_is_repeated(cloud: Cloud) {
    let upstream = Upstream::start(cloud, &[Act::Reset(REFUSED_STREAM)]).await;
    let (_sidecar, mut client) = upstream.sidecar(ONCE);
    let told_once = told_by(cloud, &client.invoke(run()).await.unwrap_err());
    told_once.assert(
        Code::Unavailable,
        "CONNECTION_LOST",
        "not_started",
        "network",
    );

    let upstream = Upstream::start(cloud, &[Act::Reset(REFUSED_STREAM)]).await;
    let (_sidecar, mut client) = upstream.sidecar(QUICK);
    let answer = client.invoke(run()).await.unwrap();
    assert_eq!(answer.metadata().get("faas-attempts").unwrap(), "2");
}

async fn a_stream_that_broke_otherwise_may_have_run_and_is_not_repeated(cloud: Cloud) {
    for act in &[
        Act::Reset(INTERNAL_ERROR),
        Act::Reset(0),
        Act::GoodbyeAndClose,
    ] {
        let upstream = Upstream::start(cloud, std::slice::from_ref(act)).await;
        let (_sidecar, mut client) = upstream.sidecar(QUICK);
        let told = told_by(cloud, &client.invoke(run()).await.unwrap_err());
        told.assert(Code::Unavailable, "CONNECTION_LOST", "unknown", "network");
        assert_eq!(upstream.requests(), [1], "{act:?}");
        // The next call finds a connection that works.
        client.invoke(run()).await.unwrap();
    }
}

async fn streams_beyond_a_goodbye_are_repeated_elsewhere_and_those_below_get_their_answer(
    cloud: Cloud,
) {
    let upstream = Upstream::start(cloud, &[Act::AnswerAfterNext, Act::GoodbyeBefore]).await;
    let (_sidecar, client) = upstream.sidecar(QUICK);
    let (mut first, mut second) = (client.clone(), client.clone());
    let (below, beyond) = tokio::join!(first.invoke(run()), async {
        while upstream.requests() != [1] {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        second.invoke(run()).await
    });
    assert_eq!(below.unwrap().metadata().get("faas-attempts").unwrap(), "1");
    assert_eq!(
        beyond.unwrap().metadata().get("faas-attempts").unwrap(),
        "2"
    );
    assert_eq!(upstream.requests(), [2, 1]);
}

async fn an_answer_that_breaks_off_may_have_been_carried_out(cloud: Cloud) {
    let upstream = Upstream::start(cloud, &[Act::Half]).await;
    let (_sidecar, mut client) = upstream.sidecar(QUICK);
    let told = told_by(cloud, &client.invoke(run()).await.unwrap_err());
    told.assert(Code::Internal, "RESPONSE_CUT", "unknown", "network");
    assert_eq!(upstream.requests(), [1]);
}

async fn a_connection_that_fell_silent_is_not_used_again(cloud: Cloud) {
    let upstream = Upstream::start(cloud, &[Act::Silence]).await;
    let (_sidecar, client) =
        upstream.sidecar(", timeouts: {attempt: 300ms}, retry: {max_attempts: 1}");
    let mut packages =
        faas_sidecar::proto::package_service_client::PackageServiceClient::new(connect(&_sidecar));
    let told = told_by(
        cloud,
        &packages
            .list_packages(faas_sidecar::proto::ListPackagesRequest::default())
            .await
            .unwrap_err(),
    );
    assert_eq!(told.reason, "ATTEMPT_TIMEOUT");
    client.clone().invoke(run()).await.unwrap();
    assert_eq!(upstream.requests(), [1, 1]);
    assert_eq!(upstream.unused(), 0);
}
