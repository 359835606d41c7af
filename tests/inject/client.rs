//! A webhook as a child process, and a caller that writes HTTP by hand, so that it can do so
//! wrongly.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use faas_testkit::process::{Process, Stream};

/// Longer than anything here takes, so that only a hang meets it.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Webhook {
    pub process: Process,
    pub address: String,
    pub files: tempfile::TempDir,
    pub authority: Authority,
}

/// A certificate that vouches for itself.
pub struct Authority(rcgen::CertifiedKey<rcgen::KeyPair>);

impl Authority {
    pub fn new() -> Self {
        Self(rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap())
    }

    /// Puts both files in the place of others, each in one go.
    pub fn write(&self, files: &std::path::Path) {
        for (name, text) in [
            ("tls.key", self.0.signing_key.serialize_pem()),
            ("tls.crt", self.0.cert.pem()),
        ] {
            put(&files.join(name), &text);
        }
    }

    /// Connects to who shows this certificate.
    pub fn connect(&self, address: &str, alpn: &[&str]) -> std::io::Result<Client> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls = ClientConnection::new(self.trusted(alpn), name).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        let protocol = tls.alpn_protocol().map(<[u8]>::to_vec);
        Ok(Client {
            stream: BufReader::new(StreamOwned::new(tls, socket)),
            protocol,
        })
    }

    fn trusted(&self, alpn: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

/// As Kubernetes does: written beside it, then renamed.
pub fn put(file: &std::path::Path, text: &str) {
    let fresh = file.with_extension("fresh");
    std::fs::write(&fresh, text).unwrap();
    std::fs::rename(fresh, file).unwrap();
}

impl Webhook {
    /// Starts one with a certificate of its own and these arguments.
    pub fn start(args: &[&str]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        authority.write(files.path());
        let path = |name: &str| files.path().join(name).display().to_string();
        let (cert, key) = (path("tls.crt"), path("tls.key"));
        let all = [
            &[
                "injector",
                "--listen",
                "127.0.0.1:0",
                "--cert-file",
                &cert,
                "--key-file",
                &key,
                "--log-level",
                "debug",
            ],
            args,
        ]
        .concat();
        let process = Process::start(
            Command::new(env!("CARGO_BIN_EXE_faas-sidecar")).args(all),
            &[],
            Stream::Log,
        );
        let address = process.event("listening")["address"]
            .as_str()
            .unwrap()
            .to_owned();
        process.event("ready");
        Self {
            process,
            address,
            files,
            authority,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// A caller that trusts the certificate it was started with.
    pub fn client(&self) -> Client {
        self.trusting(&self.authority, &["http/1.1"]).unwrap()
    }

    /// A caller that trusts this certificate and speaks these protocols.
    pub fn trusting(&self, authority: &Authority, alpn: &[&str]) -> std::io::Result<Client> {
        authority.connect(&self.address, alpn)
    }
}

pub struct Client {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    pub protocol: Option<Vec<u8>>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Client {
    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_mut().flush()
    }

    /// The next answer; `None` = the connection is closed.
    pub fn answer(&mut self) -> Option<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match self.stream.read_line(&mut head) {
                Ok(0) => return None,
                Ok(_) => {}
                // Without a close_notify, or reset: closed all the same.
                Err(why) if why.kind() == ErrorKind::WouldBlock => {
                    panic!("no answer within {PATIENCE:?}")
                }
                Err(_) => return None,
            }
        }
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        });
        let mut body = vec![0; length.unwrap()];
        self.stream.read_exact(&mut body).unwrap();
        Some(Answer {
            status: head[9..12].parse().unwrap(),
            head,
            body: String::from_utf8(body).unwrap(),
        })
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.write(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes())
            .unwrap();
        self.answer().unwrap()
    }

    pub fn post(&mut self, body: &[u8]) -> Answer {
        let head = format!(
            "POST /inject?timeout=10s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.write(&[head.as_bytes(), body].concat()).unwrap();
        self.answer().unwrap()
    }

    /// Asks about a new pod, as the API server does.
    pub fn review(&mut self, pod: &Value) -> Value {
        let answer = self.post(review(pod).to_string().as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(
            answer.head.contains("content-type: application/json"),
            "{}",
            answer.head
        );
        serde_json::from_str(&answer.body).unwrap()
    }
}

/// What the API server sends for a new pod.
pub fn review(pod: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "uid-1",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
            "requestResource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "shop",
            "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": pod,
            "oldObject": null,
            "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    })
}
