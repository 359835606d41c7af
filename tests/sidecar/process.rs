//! The real binary as a pod runs it: ready line, a call over its socket, SIGTERM, exit code.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use faas_sidecar::proto::InvokeRequest;
use faas_sidecar::proto::invocation_service_client::InvocationServiceClient;
use faas_testkit::process::{Process, Stream};
use tokio::time::sleep;
use tonic::transport::Endpoint;

use crate::support::answer::{Step, html, steps};
use crate::support::bench::{ID, hello, success};
use crate::support::upstream::{ACCESS_KEY, SECRET_KEY, Upstream};

/// The binary at this socket before this upstream, its log the finest.
fn start(upstream: &Upstream, socket: &Path, top: &str) -> (Process, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(
        file,
        "listen: \"unix:{}\"\n{top}\nlog: {{level: trace}}\ntargets: {{main: {{provider: ncp, base_url: \"{}\"}}}}\n",
        socket.display(),
        upstream.url()
    )
    .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_faas-sidecar"));
    command.args(["serve", "--config"]).arg(file.path());
    (run(&mut command), file)
}

fn run(command: &mut Command) -> Process {
    let keys = [
        ("NCLOUD_ACCESS_KEY_ID", ACCESS_KEY),
        ("NCLOUD_SECRET_ACCESS_KEY", SECRET_KEY),
    ];
    Process::start(command, &keys, Stream::Log)
}

#[tokio::test]
async fn sigterm_lets_the_call_in_flight_finish_and_exits_0_without_a_secret_in_the_log() {
    let upstream = Upstream::start().await;
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("faas.sock");
    let (process, _file) = start(&upstream, &socket, "");
    process.hear_word("ready").await;
    let channel = Endpoint::from_shared(format!("unix://{}", socket.display()))
        .unwrap()
        .connect_lazy();
    let mut client = InvocationServiceClient::new(channel);
    upstream.push(html(401));
    client.invoke(hello()).await.unwrap_err();
    upstream.push(success(r#"{"n":1}"#).after(Duration::from_millis(500)));
    let call = tokio::spawn(async move { client.invoke(hello()).await });
    upstream.wait_received(2).await;
    process.signal("TERM");
    process.hear_word("draining").await;
    let answer = call.await.unwrap().unwrap();
    assert!(answer.into_inner().activation.unwrap().success);
    let (code, log) = process.exit().await;
    assert_eq!(code, Some(0), "{log}");
    assert!(!socket.exists());
    assert!(!log.contains(SECRET_KEY), "{log}");
}

#[tokio::test]
async fn a_second_sigterm_ends_the_drain_at_once() {
    let upstream = Upstream::start().await;
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("faas.sock");
    let (process, _file) = start(&upstream, &socket, "drain_timeout: 30s");
    process.hear_word("ready").await;
    let channel = Endpoint::from_shared(format!("unix://{}", socket.display()))
        .unwrap()
        .connect_lazy();
    upstream.push(steps([Step::Stall]));
    let call =
        tokio::spawn(async move { InvocationServiceClient::new(channel).invoke(hello()).await });
    upstream.wait_received(1).await;
    process.signal("TERM");
    process.hear_word("draining").await;
    // The same signal once more, as a sender to the process and its group makes it.
    process.signal("TERM");
    sleep(Duration::from_millis(1200)).await;
    assert!(
        !call.is_finished(),
        "the call was ended by the second of two signals at once"
    );
    process.signal("TERM");
    let (code, log) = process.exit().await;
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("stopped at once by a second signal"), "{log}");
    assert!(call.await.unwrap().is_err());
}

#[tokio::test]
async fn a_process_without_file_descriptors_says_so_once_in_a_while_and_blames_itself() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("faas.yaml");
    std::fs::write(
        &file,
        "listen: \"127.0.0.1:0\"\ntargets: {main: {provider: ncp}}\n",
    )
    .unwrap();
    let mut command = Command::new("/bin/sh");
    command.args([
        "-c",
        "ulimit -n 40; exec \"$0\" serve --config \"$1\" --log-format json",
    ]);
    let program = env!("CARGO_BIN_EXE_faas-sidecar");
    let process = run(command.arg(program).arg(&file));
    let event = |line: &str| -> serde_json::Value { serde_json::from_str(line).unwrap() };
    let listening = event(&process.hear_word("\"listening\"").await);
    let address = listening["address"].as_str().unwrap();
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    // The pause between two tries is a tenth of a second.
    sleep(Duration::from_secs(3)).await;
    drop(held);
    process.signal("KILL");
    let (_, log) = process.exit().await;
    let told: Vec<_> = log
        .lines()
        .map(event)
        .filter(|event| {
            event["message"]
                .as_str()
                .unwrap()
                .contains("cannot be accepted")
        })
        .collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    let message = told[0]["message"].as_str().unwrap();
    assert!(
        message.contains("the sidecar has as many files open as it may"),
        "{message}"
    );
}

/// A run with a request id whose caller leaves while it is in flight; the client holds no
/// connection then.
async fn leave_behind(upstream: &Upstream, socket: &Path) {
    let channel = Endpoint::from_shared(format!("unix://{}", socket.display()))
        .unwrap()
        .connect_lazy();
    let request = InvokeRequest {
        request_id: "order-1".to_owned(),
        ..hello()
    };
    let call =
        tokio::spawn(async move { InvocationServiceClient::new(channel).invoke(request).await });
    upstream.wait_received(1).await;
    call.abort();
    let _ = call.await;
}

#[tokio::test]
async fn a_shutdown_waits_for_a_run_that_nobody_waits_for_and_its_line_tells_what_became_of_it() {
    let upstream = Upstream::start().await;
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("faas.sock");
    let (process, _file) = start(&upstream, &socket, "drain_timeout: 30s");
    process.hear_word("ready").await;
    upstream.push(success("{}").after(Duration::from_secs(2)));
    leave_behind(&upstream, &socket).await;
    process.signal("TERM");
    let (code, log) = process.exit().await;
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(upstream.hung_up(), 0, "the run was cut off: {log}");
    let line = log
        .lines()
        .find(|line| line.contains("call CANCELLED"))
        .expect(&log);
    for part in ["outcome=OK", "attempts=1", &format!("activation_id={ID}")] {
        assert!(line.contains(part), "no {part} in {line}");
    }
}

#[tokio::test]
async fn a_shutdown_names_the_runs_that_it_leaves() {
    let upstream = Upstream::start().await;
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("faas.sock");
    let (process, _file) = start(&upstream, &socket, "drain_timeout: 1s");
    process.hear_word("ready").await;
    upstream.push(steps([Step::Stall]));
    leave_behind(&upstream, &socket).await;
    process.signal("TERM");
    let (code, log) = process.exit().await;
    assert_eq!(code, Some(0), "{log}");
    let line = log
        .lines()
        .find(|line| line.contains("left in flight"))
        .expect(&log);
    assert!(line.contains("Invoke main -/hello"), "{line}");
    let line = log
        .lines()
        .find(|line| line.contains("call CANCELLED"))
        .expect(&log);
    for part in [
        "outcome=UNAVAILABLE",
        "reason=SIDECAR_STOPPED",
        "execution=unknown",
        "attempts=1",
    ] {
        assert!(line.contains(part), "no {part} in {line}");
    }
    assert!(!log.contains("order-1"), "{log}");
    assert!(log.contains("the drain timeout ended calls"), "{log}");
}
