//! The server itself: health, reflection, sockets, sizes, unknown methods, drain.

use std::time::{Duration, Instant};

use faas_sidecar::proto::health::health_check_response::ServingStatus;
use faas_sidecar::proto::health::health_client::HealthClient;
use faas_sidecar::proto::health::{HealthCheckRequest, HealthListRequest};
use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use faas_sidecar::proto::package_service_client::PackageServiceClient;
use faas_sidecar::proto::*;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::{v1, v1alpha};

use crate::support::answer::{Step, content, steps};
use crate::support::bench::{self, Bench, connect, hello, keys, shown, start, success, text};
use crate::support::details::bare;
use crate::support::upstream::Upstream;

const SERVICES: [&str; 4] = [
    "faas.v1.PackageService",
    "faas.v1.ActionService",
    "faas.v1.InvocationService",
    "faas.v1.TriggerService",
];

fn about(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

#[tokio::test]
async fn health_knows_the_server_and_each_service_and_nothing_else() {
    let bench = Bench::new().await;
    for service in SERVICES.iter().copied().chain([""]) {
        let answer = bench
            .health()
            .check(about(service))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    let status = bench
        .health()
        .check(about("faas.v1.Nothing"))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    bare(&status);
    let list = bench
        .health()
        .list(HealthListRequest {})
        .await
        .unwrap()
        .into_inner()
        .statuses;
    assert_eq!(list.len(), 5);
    assert!(
        list.values()
            .all(|status| status.status() == ServingStatus::Serving)
    );
    let mut watch = bench
        .health()
        .watch(about("faas.v1.Nothing"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::ServiceUnknown
    );
}

#[tokio::test]
async fn reflection_lists_the_services_in_both_of_its_generations() {
    let bench = Bench::new().await;
    let expected = |mut names: Vec<String>| {
        names.sort();
        for name in SERVICES.iter().chain(&["grpc.health.v1.Health"]) {
            assert!(
                names.iter().any(|known| known == name),
                "{name} is not in {names:?}"
            );
        }
    };
    let ask = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
    };
    let mut client =
        v1::server_reflection_client::ServerReflectionClient::new(bench.channel.clone());
    let mut answers = client
        .server_reflection_info(tokio_stream::once(ask))
        .await
        .unwrap()
        .into_inner();
    match answers.message().await.unwrap().unwrap().message_response {
        Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(list)) => {
            expected(
                list.service
                    .into_iter()
                    .map(|service| service.name)
                    .collect(),
            );
        }
        other => panic!("{other:?}"),
    }
    let ask = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::ListServices(String::new()),
        ),
    };
    let mut client =
        v1alpha::server_reflection_client::ServerReflectionClient::new(bench.channel.clone());
    let mut answers = client
        .server_reflection_info(tokio_stream::once(ask))
        .await
        .unwrap()
        .into_inner();
    match answers.message().await.unwrap().unwrap().message_response {
        Some(v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(list)) => {
            expected(
                list.service
                    .into_iter()
                    .map(|service| service.name)
                    .collect(),
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn reflection_describes_a_message_with_its_json_value() {
    let bench = Bench::new().await;
    let ask = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            v1::server_reflection_request::MessageRequest::FileContainingSymbol(
                "faas.v1.Json".to_owned(),
            ),
        ),
    };
    let mut client =
        v1::server_reflection_client::ServerReflectionClient::new(bench.channel.clone());
    let mut answers = client
        .server_reflection_info(tokio_stream::once(ask))
        .await
        .unwrap()
        .into_inner();
    match answers.message().await.unwrap().unwrap().message_response {
        Some(v1::server_reflection_response::MessageResponse::FileDescriptorResponse(files)) => {
            let whole = files.file_descriptor_proto.concat();
            assert!(
                whole
                    .windows(21)
                    .any(|part| part == b"google.protobuf.Value")
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn unknown_methods_are_unimplemented_with_details() {
    let bench = Bench::new().await;
    for path in [
        "/faas.v1.PackageService/Rename",
        "/faas.v2.PackageService/ListPackages",
        "/nothing",
        "/a/b/c",
    ] {
        let mut client = tonic::client::Grpc::new(bench.channel.clone());
        client.ready().await.unwrap();
        let codec = ProstCodec::<ListPackagesRequest, ListPackagesResponse>::default();
        let request = Request::new(ListPackagesRequest::default());
        let status = client
            .unary(request, PathAndQuery::from_static(path), codec)
            .await
            .unwrap_err();
        let told = bare(&status);
        told.assert(
            Code::Unimplemented,
            "METHOD_NOT_FOUND",
            "not_started",
            "sidecar",
        );
    }
    bench.assert_healthy().await;
}

#[tokio::test]
async fn what_this_cloud_has_not_is_unimplemented_by_name() {
    let bench = Bench::new().await;
    let id = bench::ID.to_owned();
    let request = CancelActivationRequest {
        action_name: "a".to_owned(),
        activation_id: id,
        ..Default::default()
    };
    let told = crate::support::details::told(
        &bench
            .invocations()
            .cancel_activation(request)
            .await
            .unwrap_err(),
    );
    told.assert(
        Code::Unimplemented,
        "OPERATION_NOT_SUPPORTED",
        "not_started",
        "sidecar",
    );
    assert!(
        told.message.contains("CancelActivation"),
        "{}",
        told.message
    );
    let request = PublishActionVersionRequest {
        action_name: "a".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        bench
            .actions()
            .publish_action_version(request)
            .await
            .unwrap_err()
            .code(),
        Code::Unimplemented
    );
    assert!(bench.upstream.received().is_empty());
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_both_ways_with_details() {
    // The target may read more than a message may hold.
    let bench = Bench::whole(
        "max_message_size: 64KiB",
        "limits: {max_response_size: 1MiB}",
        &keys(),
    )
    .await;
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(70 << 10));
    let status = bench
        .invoke(InvokeRequest {
            arguments: Some(text(&large)),
            ..hello()
        })
        .await
        .unwrap_err();
    bare(&status).assert(
        Code::ResourceExhausted,
        "MESSAGE_TOO_LARGE",
        "not_started",
        "sidecar",
    );
    assert!(bench.upstream.received().is_empty());
    bench.upstream.push(success(&large));
    let status = bench.invoke(hello()).await.unwrap_err();
    let told = bare(&status);
    assert_eq!(
        (told.code, told.reason.as_str()),
        (Code::ResourceExhausted, "MESSAGE_TOO_LARGE")
    );
    assert_eq!(
        told.execution(),
        "completed",
        "the run was carried out; only its answer cannot be sent"
    );
    assert_eq!(told.attempts, Some(1));
    bench.assert_healthy().await;
}

#[tokio::test]
async fn the_largest_code_archive_passes_and_so_does_the_answer_that_repeats_it() {
    let bench = Bench::new().await;
    let archive = vec![0x50_u8; 38 << 20];
    let repeated = "UFBQ".repeat(archive.len() / 3 + 1);
    bench.upstream.push(content(&format!(
        r#"{{"name":"big","type":"basic","exec":{{"binary":true,"code":"{repeated}"}}}}"#
    )));
    let request = PutActionRequest {
        action_name: "big".to_owned(),
        action: Some(Action {
            exec: Some(Exec {
                runtime: "java:21".to_owned(),
                main: "Main".to_owned(),
                code: Some(exec::Code::Archive(archive.into())),
                ..Exec::default()
            }),
            limits: Some(Limits {
                timeout: Some(prost_types::Duration {
                    seconds: 1,
                    nanos: 0,
                }),
                memory_mb: 128,
            }),
            vpc: vec![Vpc {
                vpc_no: 1,
                subnet_no: 2,
            }],
            ..Action::default()
        }),
        ..PutActionRequest::default()
    };
    bench.actions().put_action(request).await.unwrap();
    assert!(bench.upstream.only().body.len() > (38 << 20) / 3 * 4);
}

#[tokio::test]
async fn gzip_requests_are_taken() {
    let bench = Bench::new().await;
    bench.upstream.push(success("{}"));
    let mut client = bench
        .invocations()
        .send_compressed(tonic::codec::CompressionEncoding::Gzip);
    client.invoke(hello()).await.unwrap();
    assert_eq!(bench.upstream.only().text(), r#"{"name":"kim"}"#);
}

#[tokio::test]
async fn a_gzip_answer_goes_to_a_caller_that_sent_gzip_and_to_no_other() {
    let bench = Bench::new().await;
    for packs in [true, false] {
        let mut client = bench
            .invocations()
            .accept_compressed(tonic::codec::CompressionEncoding::Gzip);
        if packs {
            client = client.send_compressed(tonic::codec::CompressionEncoding::Gzip);
        }
        let result = format!("\"{}\"", "x".repeat(100_000));
        bench.upstream.push(success(&result));
        let answer = client.invoke(hello()).await.unwrap();
        let packed = answer
            .metadata()
            .get("grpc-encoding")
            .map(|name| name.to_str().unwrap());
        assert_eq!(packed, packs.then_some("gzip"));
        assert_eq!(
            shown(&answer.into_inner().activation.unwrap().result),
            result
        );
    }
}

#[tokio::test]
async fn a_compression_that_is_not_spoken_is_told_with_those_that_are() {
    let bench = Bench::new().await;
    let mut request = Request::new(hello());
    request
        .metadata_mut()
        .insert("grpc-encoding", "deflate".parse().unwrap());
    let refused = bench.invocations().invoke(request).await.unwrap_err();
    bare(&refused).assert(
        Code::Unimplemented,
        "COMPRESSION_NOT_SUPPORTED",
        "not_started",
        "sidecar",
    );
    assert_eq!(
        refused.metadata().get("grpc-accept-encoding").unwrap(),
        "identity,gzip"
    );
    assert!(bench.upstream.received().is_empty());
}

#[tokio::test]
async fn a_unix_socket_serves_beside_tcp_and_goes_away_with_the_sidecar() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("faas.sock");
    let upstream = Upstream::start().await;
    let configuration = format!(
        "listen: [\"127.0.0.1:0\", \"unix:{}\"]\ntargets: {{main: {{provider: ncp, base_url: \"{}\"}}}}\n",
        path.display(),
        upstream.url()
    );
    let sidecar = start(&configuration, &keys());
    let over_unix = Endpoint::from_shared(format!("unix://{}", path.display()))
        .unwrap()
        .connect_lazy();
    for channel in [bench::channel(&sidecar), over_unix] {
        upstream.push(content(r#"[{"name":"a"}]"#));
        let answer = PackageServiceClient::new(channel)
            .list_packages(ListPackagesRequest::default())
            .await
            .unwrap();
        assert_eq!(answer.into_inner().packages[0].name, "a");
    }
    assert!(sidecar.drain().await);
    assert!(!path.exists());
}

#[tokio::test]
async fn several_threads_serve_one_port() {
    let bench = Bench::whole("threads: 2", "", &keys()).await;
    for _ in 0..8 {
        bench.upstream.push(content("[]"));
        let channel = connect(&bench.sidecar);
        PackageServiceClient::new(channel)
            .list_packages(ListPackagesRequest::default())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_drain_lets_calls_finish_and_takes_no_new_ones() {
    let Bench {
        upstream, sidecar, ..
    } = Bench::new().await;
    let channel = bench::channel(&sidecar);
    upstream.push(success(r#"{"n":1}"#).after(Duration::from_millis(600)));
    let mut client = InvocationServiceClient::new(channel.clone());
    let call = tokio::spawn(async move { client.invoke(hello()).await });
    upstream.wait_received(1).await;
    let mut watch = HealthClient::new(channel.clone())
        .watch(about(""))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );

    let fresh = bench::channel(&sidecar);
    let began = Instant::now();
    let drained = tokio::spawn(sidecar.drain());
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
    // GOAWAY and a closed listener: neither the old connection nor a new one takes another call.
    tokio::time::sleep(Duration::from_millis(100)).await;
    for channel in [channel, fresh] {
        let late = PackageServiceClient::new(channel)
            .list_packages(ListPackagesRequest::default())
            .await;
        // The client library's own words for a connection that takes no more calls.
        assert!(matches!(
            late.unwrap_err().code(),
            Code::Unavailable | Code::Cancelled
        ));
    }
    let answer = call.await.unwrap().unwrap();
    assert!(answer.into_inner().activation.unwrap().success);
    assert!(drained.await.unwrap(), "the drain did not end by itself");
    // An open health watch must not hold the drain back.
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(upstream.received().len(), 1);
}

#[tokio::test]
async fn a_watch_for_an_unknown_service_holds_no_drain_back() {
    let Bench {
        sidecar, channel, ..
    } = Bench::new().await;
    let mut watch = HealthClient::new(channel)
        .watch(about("nothing"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::ServiceUnknown
    );
    let began = Instant::now();
    assert!(sidecar.drain().await);
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_drain_that_takes_too_long_ends_by_force() {
    let Bench {
        upstream,
        sidecar,
        channel,
    } = Bench::whole("drain_timeout: 200ms", "", &keys()).await;
    upstream.push(steps([Step::Stall]));
    let mut client = InvocationServiceClient::new(channel);
    let call = tokio::spawn(async move { client.invoke(hello()).await });
    upstream.wait_received(1).await;
    let began = Instant::now();
    assert!(!sidecar.drain().await);
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(call.await.unwrap().is_err());
}

#[tokio::test]
async fn a_taken_address_and_a_taken_socket_are_told() {
    let bench = Bench::new().await;
    let address = bench.sidecar.tcp().unwrap();
    let fault = try_start(&format!("\"{address}\""));
    assert!(fault.contains(&address.to_string()), "{fault}");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    let fault = try_start(&format!("\"unix:{}\"", file.display()));
    assert!(fault.contains("no socket"), "{fault}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
}

#[tokio::test]
async fn a_socket_file_left_by_a_killed_process_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("faas.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let sidecar = start(
        &format!(
            "listen: \"unix:{}\"\ntargets: {{main: {{provider: ncp}}}}\n",
            path.display()
        ),
        &keys(),
    );
    let channel: Channel = Endpoint::from_shared(format!("unix://{}", path.display()))
        .unwrap()
        .connect_lazy();
    HealthClient::new(channel).check(about("")).await.unwrap();
    drop(sidecar);
}

fn try_start(listen: &str) -> String {
    use std::io::Write as _;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(
        file,
        "listen: {listen}\ntargets: {{main: {{provider: ncp}}}}\n"
    )
    .unwrap();
    let sources = faas_sidecar::config::Sources {
        file: Some(file.path().to_owned()),
        env: keys(),
        ..faas_sidecar::config::Sources::default()
    };
    let config = faas_sidecar::config::load(&sources).unwrap();
    faas_sidecar::app::Sidecar::start(&config, &keys())
        .unwrap_err()
        .to_string()
}
