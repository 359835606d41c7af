//! The real binary as a child process, its log read line by line; it is killed when the test ends,
//! however it ends.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use super::upstream::{ACCESS_KEY, SECRET_KEY};

/// Longer than anything here takes on a busy machine, so that only a hang meets it.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Spawned {
    child: Child,
    log: Option<Lines<BufReader<ChildStderr>>>,
    /// The first address that it listens on.
    pub address: String,
    /// Where its admin pages are, if anywhere.
    pub admin: Option<String>,
}

impl Spawned {
    /// Starts `serve` with a file whose log is JSON; beside the upstream's keys these variables are
    /// set.
    pub async fn start(file: &Path, env: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_faas-sidecar"))
            .args([
                "serve",
                "--config",
                file.to_str().unwrap(),
                "--log-format",
                "json",
            ])
            .env_clear()
            .envs([
                ("NCLOUD_ACCESS_KEY_ID", ACCESS_KEY),
                ("NCLOUD_SECRET_ACCESS_KEY", SECRET_KEY),
            ])
            .envs(env.iter().copied())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut spawned = Self {
            child,
            log: Some(log),
            address: String::new(),
            admin: None,
        };
        loop {
            let event = spawned.hear("").await;
            let address = event["address"].as_str().map(str::to_owned);
            match event["message"].as_str() {
                Some("listening") if spawned.address.is_empty() => {
                    spawned.address = address.unwrap();
                }
                Some("admin pages") => spawned.admin = address,
                Some("ready") => return spawned,
                _ => {}
            }
        }
    }

    /// The next event of the log whose message begins so.
    pub async fn hear(&mut self, message: &str) -> serde_json::Value {
        let log = self.log.as_mut().unwrap();
        let heard = timeout(PATIENCE, async {
            loop {
                let line = log.next_line().await.unwrap().unwrap();
                let event: serde_json::Value = serde_json::from_str(&line).unwrap();
                if event["message"]
                    .as_str()
                    .unwrap_or_default()
                    .starts_with(message)
                {
                    return event;
                }
            }
        });
        heard
            .await
            .unwrap_or_else(|_| panic!("nothing in the log begins with {message:?}"))
    }

    /// Reads the log from now on for nobody: a pipe that is full would stop the process.
    pub fn ignore_log(&mut self) {
        if let Some(mut log) = self.log.take() {
            tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        }
    }

    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }
}
