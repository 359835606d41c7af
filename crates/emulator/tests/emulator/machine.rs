//! What must hold on a developer's machine: who is let in, whose keys work, what a run sees and
//! leaves behind, files.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use faas_emulator::{Running, functiongraph, ncp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Answer, Client, NEW, action, parse};

async fn send(emulator: &Running, request: &str) -> Answer {
    let mut stream = TcpStream::connect(emulator.addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    parse(&answer)
}

async fn both(allowed_hosts: &[&str]) -> [Running; 2] {
    let allowed_hosts: Vec<_> = allowed_hosts
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    let ncp = ncp::Options {
        allowed_hosts: allowed_hosts.clone(),
        ..ncp::Options::default()
    };
    let functiongraph = functiongraph::Options {
        allowed_hosts,
        ..functiongraph::Options::default()
    };
    [
        ncp::start(ncp).await.unwrap(),
        functiongraph::start(functiongraph).await.unwrap(),
    ]
}

#[tokio::test]
async fn requests_of_web_pages_are_refused_before_anything_else() {
    for emulator in both(&["emulator.test"]).await {
        let status = async |headers: &str| {
            let request =
                format!("GET /v3/projects HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
            send(&emulator, &request).await.status
        };
        let port = emulator.addr().port();
        for host in [
            "localhost",
            "127.0.0.1",
            "[::1]",
            "emulator.test",
            "EMULATOR.TEST",
        ] {
            for headers in [
                format!("Host: {host}\r\n"),
                format!("Host: {host}:{port}\r\nOrigin: http://{host}:{port}\r\n"),
            ] {
                assert!([401, 404].contains(&status(&headers).await), "{headers}");
            }
        }
        let let_in = emulator.requests().len();
        for headers in [
            "Host: evil.example\r\n",
            "Host: evil.example:8081\r\n",
            "Host: 127.0.0.1.evil.example\r\n",
            "Host: localhost\r\nOrigin: http://evil.example\r\n",
            "Host: localhost\r\nOrigin: null\r\n",
            "Host: localhost\r\nHost: evil.example\r\n",
            "",
        ] {
            assert_eq!(status(headers).await, 403, "{headers}");
        }
        // Not even the body is waited for.
        let begun = "PUT / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 50000000\r\n\r\n{";
        let refused = send(&emulator, begun).await;
        let why = String::from_utf8(refused.body).unwrap();
        assert!(
            refused.status == 403 && why.contains("--allow-host evil.example"),
            "{why}"
        );
        assert_eq!(
            emulator.requests().len(),
            let_in,
            "nothing of it reached the cloud"
        );
    }
}

#[tokio::test]
async fn nobody_knows_the_keys_of_another_start() {
    let (mut one, other) = (Client::new().await, Client::new().await);
    assert_ne!(
        (&one.access_key, &one.secret_key),
        (&other.access_key, &other.secret_key)
    );
    one.get(&format!("{NEW}/packages")).await.content();
    (one.access_key, one.secret_key) = (other.access_key, other.secret_key);
    one.get(&format!("{NEW}/packages"))
        .await
        .refused(401, "200");
    let [mine, theirs] = [
        functiongraph::Options::default(),
        functiongraph::Options::default(),
    ];
    assert!(
        mine.keys[0].access_key != theirs.keys[0].access_key
            && mine.keys[0].secret_key != theirs.keys[0].secret_key
    );
    assert_ne!(mine.users[0].password, theirs.users[0].password);
}

/// The result of a Python action, and whether there is Python at all.
async fn python(client: &Client, code: &str, timeout: u64) -> Option<Value> {
    let mut body = action("python:3.13", code);
    body["limits"]["timeout"] = timeout.into();
    client.deploy_as("a", body).await;
    let run = client.run("a", json!({})).await["response"].clone();
    (!run.to_string().contains("python3 was not found")).then_some(run)
}

#[allow(
    clippy::disallowed_methods,
    reason = "this test's own environment is what must not be seen"
)]
#[tokio::test]
async fn a_run_sees_nothing_of_the_environment_around_it() {
    let client = Client::new().await;
    let code = "import os\n\
                def read(pid):\n\
                \x20   names = open('/proc/%s/environ' % pid).read().split('\\0')\n\
                \x20   return sorted(name.split('=')[0] for name in names if name)\n\
                def main(p):\n\
                \x20   return {'own': read('self'), 'parent': read(os.getppid()), 'home': os.environ.get('HOME')}\n";
    let Some(run) = python(&client, code, 10_000).await else {
        return;
    };
    let here = |name: &str| std::env::vars().any(|(own, _)| own == name);
    assert!(here("CARGO_MANIFEST_DIR"), "there is something to see");
    for who in ["own", "parent"] {
        // A python3 that is the shim of a version manager has variables of its own.
        for name in run["result"][who].as_array().unwrap() {
            let name = name.as_str().unwrap();
            let needed = ["PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];
            assert!(
                !name.starts_with("CARGO") && !name.starts_with("RUST"),
                "{run}"
            );
            assert!(
                needed.contains(&name)
                    || !here(name)
                    || name.contains("PYENV")
                    || name == "PWD"
                    || name == "SHLVL",
                "{run}"
            );
        }
    }
    assert_eq!(run["result"]["home"], Value::Null);
}

/// The ids of processes whose command line has this mark.
fn marked(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if line
            .split(|byte| *byte == 0)
            .any(|word| word == mark.as_bytes())
        {
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found
}

async fn none_is_left(mark: &str, what: &str) {
    for _ in 0..200 {
        if marked(mark).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}: processes are left: {:?}", marked(mark));
}

#[tokio::test]
async fn what_a_run_starts_ends_with_it() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let mark = format!("97{}", std::process::id());
    let started = format!(
        "import os, subprocess, time\n\
         def main(p):\n\
         \x20   subprocess.Popen(['sleep', '{mark}'])\n\
         \x20   subprocess.Popen(['sleep', '{mark}'], start_new_session=True)\n\
         \x20   subprocess.Popen(['sh', '-c', 'setsid sleep {mark} & sleep {mark}'], start_new_session=True)\n\
         \x20   time.sleep(0.2)\n"
    );
    let client = Client::new().await;
    for (end, timeout, says) in [
        ("    return {'a': 1}\n", 10_000, "\"success\":true"),
        ("    os._exit(3)\n", 10_000, "exited unexpectedly"),
        ("    time.sleep(60)\n", 1500, "time limits of 1500"),
        (
            "    os.kill(os.getppid(), 9)\n    time.sleep(60)\n",
            1500,
            "time limits of 1500",
        ),
    ] {
        let Some(run) = python(&client, &format!("{started}{end}"), timeout).await else {
            return;
        };
        assert!(run.to_string().contains(says), "{end}: {run}");
        if end.contains("getppid") {
            // The group is ended all the same; what moved to a session of its own is left.
            for _ in 0..100 {
                if marked(&mark).len() < 4 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let hidden = marked(&mark);
            assert!(hidden.len() < 4, "{hidden:?}");
            std::process::Command::new("kill")
                .arg("-9")
                .args(&hidden)
                .status()
                .unwrap();
        }
        none_is_left(&mark, end).await;
    }
    // And with the emulator.
    let mut body = action("python:3.13", &format!("{started}    time.sleep(60)\n"));
    body["limits"]["timeout"] = 60_000.into();
    client.deploy_as("a", body).await;
    client
        .post(&format!("{NEW}/packages/-/actions/a?timeout=0"), json!({}))
        .await
        .content();
    for _ in 0..400 {
        if marked(&mark).len() >= 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(marked(&mark).len() >= 4, "{:?}", marked(&mark));
    client.emulator.shutdown().await;
    none_is_left(&mark, "the emulator was stopped").await;
}

#[tokio::test]
async fn processes_can_be_turned_off() {
    let client = Client::with(ncp::Options {
        processes: false,
        ..ncp::Options::default()
    })
    .await;
    let run = python(&client, "def main(p): return {'ran': 1}", 10_000)
        .await
        .unwrap();
    assert_eq!(run["status"], "action developer error");
    assert!(
        run["result"]["error"]
            .as_str()
            .unwrap()
            .contains("--no-processes"),
        "{run}"
    );
    client
        .deploy("js", "function main() { return {ran: 1} }")
        .await;
    assert_eq!(
        client.run("js", json!({})).await["response"]["result"],
        json!({"ran": 1})
    );
}

#[tokio::test]
async fn files_are_for_their_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let client = Client::with(ncp::Options {
        data_dir: Some(directory.path().join("data")),
        record_file: Some(directory.path().join("requests")),
        ..ncp::Options::default()
    })
    .await;
    client.deploy("a", "function main() { return {} }").await;
    for file in ["data", "data/ncp-kr.redb", "requests"] {
        let mode = std::fs::metadata(directory.path().join(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{file}: {mode:o}");
    }
}
