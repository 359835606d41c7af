//! The id of a run that is waited for reaches the caller before its outcome does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use faas_sidecar::proto::{InvokeRequest, InvokeResponse};
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::answers::ran;
use crate::bench::{Cloud, Clouds};
use crate::operations::ID;
use crate::support::answer::{content, fault};
use crate::support::bench::{shown, text};

const INVOKE: PathAndQuery = PathAndQuery::from_static("/faas.v1.InvocationService/Invoke");

fn request(cloud: Cloud, request_id: &str) -> InvokeRequest {
    InvokeRequest {
        target: cloud.target(),
        action_name: "hello".to_owned(),
        arguments: Some(text("{}")),
        wait: Some(prost_types::Duration {
            seconds: 20,
            nanos: 0,
        }),
        request_id: request_id.to_owned(),
        ..InvokeRequest::default()
    }
}

/// The run is named at once, and its record appears when it is let.
fn named_and_held(clouds: &Clouds, cloud: Cloud) -> Arc<AtomicBool> {
    let over = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&over);
    clouds.answer_by(move |request| {
        if request.method() == "POST" {
            content(&format!(r#"{{"activationId":"{ID}"}}"#))
        } else if seen.load(Ordering::SeqCst) {
            ran(cloud, r#"{"n":1}"#)
        } else {
            fault(404, "80322", "ACTION_ACTIVATION_NOT_FOUND")
        }
    });
    over
}

#[tokio::test]
async fn the_id_of_a_long_run_comes_before_its_outcome() {
    let clouds = Clouds::new().await;
    for (cloud, request_id, packed) in [
        (Cloud::Ncp21, "", false),
        (Cloud::Ncp20, "", true),
        (Cloud::Ncp21, "one", false),
        (Cloud::Ncp21, "two", true),
    ] {
        let over = named_and_held(&clouds, cloud);
        let asked = Request::new(request(cloud, request_id));
        let answer = streamed(&clouds, asked, packed).await.unwrap();
        assert_eq!(
            answer.metadata().get("faas-activation-id").unwrap(),
            ID,
            "{cloud:?}"
        );
        assert!(!over.swap(true, Ordering::SeqCst));
        let mut messages = answer.into_inner();
        let run = messages
            .message()
            .await
            .unwrap()
            .unwrap()
            .activation
            .unwrap();
        assert!(run.success && shown(&run.result) == r#"{"n":1}"#, "{run:?}");
        assert!(messages.message().await.unwrap().is_none());
        let trailers = messages.trailers().await.unwrap().unwrap();
        assert_eq!(trailers.get("faas-activation-id").unwrap(), ID, "{cloud:?}");
        assert_ne!(trailers.get("faas-attempts").unwrap(), "0", "{cloud:?}");
    }
}

/// The answer as it comes: its head first.
async fn streamed(
    clouds: &Clouds,
    asked: Request<InvokeRequest>,
    packed: bool,
) -> Result<Response<Streaming<InvokeResponse>>, Status> {
    let mut client = Grpc::new(clouds.channel());
    if packed {
        client = client.send_compressed(Gzip).accept_compressed(Gzip);
    }
    client.ready().await.unwrap();
    let codec = ProstCodec::<InvokeRequest, InvokeResponse>::default();
    let asked = client.server_streaming(asked, INVOKE, codec);
    tokio::time::timeout(Duration::from_secs(10), asked)
        .await
        .unwrap_or_else(|_| panic!("no head before the outcome"))
}

#[tokio::test]
async fn a_call_that_joins_another_hears_of_its_run_as_the_first_one_does() {
    let clouds = Clouds::new().await;
    let id = |metadata: &MetadataMap| {
        let id = metadata.get("faas-activation-id").unwrap();
        assert_eq!(id, ID);
    };
    for cloud in [Cloud::Ncp21, Cloud::Ncp20] {
        let over = named_and_held(&clouds, cloud);
        let asked = || Request::new(request(cloud, "one"));
        let (waiting, requests) = clouds
            .requests_of(async {
                let first = streamed(&clouds, asked(), false).await.unwrap();
                let joined = streamed(&clouds, asked(), false).await.unwrap();
                let mut hurried = asked();
                hurried.set_timeout(Duration::from_millis(300));
                let hurried = streamed(&clouds, hurried, false).await.unwrap();
                [first, joined, hurried]
            })
            .await;
        let runs = requests.iter().filter(|request| request.method() == "POST");
        assert_eq!(runs.count(), 1, "{cloud:?}");
        for answer in &waiting {
            id(answer.metadata());
        }
        let [first, joined, hurried] = waiting.map(Response::into_inner);
        // Its own deadline ends before the run does: the id is all that it gets, and it gets it
        // twice.
        let mut hurried = hurried;
        let late = hurried.message().await.unwrap_err();
        assert_eq!(late.code(), Code::DeadlineExceeded);
        id(late.metadata());
        over.store(true, Ordering::SeqCst);
        for mut messages in [first, joined] {
            let run = messages
                .message()
                .await
                .unwrap()
                .unwrap()
                .activation
                .unwrap();
            assert!(run.success && run.activation_id == ID, "{run:?}");
            assert!(messages.message().await.unwrap().is_none());
            id(&messages.trailers().await.unwrap().unwrap());
        }
        // Answered from memory.
        let kept = clouds.invocations().invoke(asked()).await.unwrap();
        id(kept.metadata());
    }
}

#[tokio::test]
async fn a_unary_client_gets_the_id_with_the_answer() {
    let clouds = Clouds::new().await;
    named_and_held(&clouds, Cloud::Ncp21).store(true, Ordering::SeqCst);
    let answer = clouds
        .invocations()
        .invoke(request(Cloud::Ncp21, ""))
        .await
        .unwrap();
    assert_eq!(answer.metadata().get("faas-activation-id").unwrap(), ID);
    // An answer that is there at once has its id in the message alone.
    for cloud in Cloud::ALL {
        clouds.answer(ran(cloud, "1"));
        let answer = clouds
            .invocations()
            .invoke(request(cloud, ""))
            .await
            .unwrap();
        assert_eq!(
            answer.metadata().get("faas-activation-id"),
            None,
            "{cloud:?}"
        );
        assert_eq!(answer.into_inner().activation.unwrap().activation_id, ID);
    }
}

#[tokio::test]
async fn a_record_too_large_to_take_still_leaves_the_run_its_name() {
    let clouds = Clouds::whole("max_message_size: 1MiB", "").await;
    let large = format!("\"{}\"", "x".repeat(2 << 20));
    clouds.answer_by(move |request| {
        if request.method() == "POST" {
            content(&format!(r#"{{"activationId":"{ID}"}}"#))
        } else {
            ran(Cloud::Ncp21, &large)
        }
    });
    let answer = clouds
        .invocations()
        .invoke(request(Cloud::Ncp21, ""))
        .await
        .unwrap();
    assert_eq!(answer.metadata().get("faas-activation-id").unwrap(), ID);
    let run = answer.into_inner().activation.unwrap();
    assert!(
        !run.success && run.activation_id == ID && run.result.is_none(),
        "{run:?}"
    );
}
