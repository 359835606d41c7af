//! A program beside the test, read line by line and never left behind.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine, so that only a hang meets it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a test looks for a line while its other tasks go on.
const LOOK: Duration = Duration::from_millis(2);

/// Which of a program's streams is read; of the others nothing is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Output,
    Log,
}

/// A child that is killed when the test ends, however it ends.
pub struct Process {
    child: Child,
    lines: Mutex<Receiver<String>>,
    /// The lines that the test has read.
    read: Mutex<String>,
    /// The first address that it listens on, where it said so.
    pub address: String,
    /// Where its admin pages are, if anywhere.
    pub admin: Option<String>,
}

impl Process {
    /// Starts `command` with these variables and no others.
    pub fn start(command: &mut Command, env: &[(&str, &str)], stream: Stream) -> Self {
        let log = stream == Stream::Log;
        let mut child = command
            .env_clear()
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(if log { Stdio::null() } else { Stdio::piped() })
            .stderr(if log {
                Stdio::piped()
            } else {
                Stdio::inherit()
            })
            .spawn()
            .unwrap();
        let stream: Box<dyn Read + Send> = if log {
            Box::new(child.stderr.take().unwrap())
        } else {
            Box::new(child.stdout.take().unwrap())
        };
        let (sender, lines) = channel();
        // A pipe that nobody reads would stop the child.
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self {
            child,
            lines: Mutex::new(lines),
            read: Mutex::default(),
            address: String::new(),
            admin: None,
        }
    }

    /// Starts a server that logs JSON, and waits until it is ready.
    pub fn serve(program: &str, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program);
        let command = command.args(args).args(["--log-format", "json"]);
        let mut process = Self::start(command, env, Stream::Log);
        loop {
            let event = process.event("");
            let address = event["address"].as_str().map(str::to_owned);
            match event["message"].as_str() {
                Some("listening") if process.address.is_empty() => {
                    process.address = address.unwrap();
                }
                Some("admin pages") => process.admin = address,
                Some("ready") => return process,
                _ => {}
            }
        }
    }

    /// The next line for which `wanted` has an answer.
    pub fn line<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> T {
        loop {
            let Some(line) = self.take(PATIENCE) else {
                panic!("the lines ended: {}", self.read());
            };
            if let Some(found) = wanted(&line) {
                return found;
            }
        }
    }

    /// The next event of a JSON log whose message begins so.
    pub fn event(&self, message: &str) -> serde_json::Value {
        self.line(|line| event(line, message))
    }

    /// [`line`](Self::line), while the other tasks of the test go on.
    pub async fn hear_line<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.take(Duration::ZERO).as_deref().map(&wanted) {
                Some(Some(found)) => return found,
                Some(None) => {}
                None if Instant::now() < end => tokio::time::sleep(LOOK).await,
                None => panic!("no such line within {PATIENCE:?}: {}", self.read()),
            }
        }
    }

    /// [`event`](Self::event), while the other tasks of the test go on.
    pub async fn hear(&self, message: &str) -> serde_json::Value {
        self.hear_line(|line| event(line, message)).await
    }

    /// The next line that holds `word`, while the other tasks of the test go on.
    pub async fn hear_word(&self, word: &str) -> String {
        self.hear_line(|line| line.contains(word).then(|| line.to_owned()))
            .await
    }

    /// All lines that come until it ends.
    pub fn rest(&self) -> String {
        let before = self.read().len();
        // The reader's thread lets go when the stream ends.
        while self.take(PATIENCE).is_some() {}
        self.read().split_off(before)
    }

    /// Its exit code and all that was read of it, once it has ended.
    pub async fn exit(mut self) -> (Option<i32>, String) {
        let end = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "it runs on: {}", self.read());
            tokio::time::sleep(LOOK).await;
        }
        let code = self.child.wait().unwrap().code();
        self.rest();
        (code, self.read())
    }

    /// Sends a signal, as a container's runtime does.
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in KiB.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Waits for the end.
    pub fn end(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    fn read(&self) -> String {
        self.read.lock().unwrap().clone()
    }

    fn take(&self, patience: Duration) -> Option<String> {
        let line = match self.lines.lock().unwrap().recv_timeout(patience) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        };
        *self.read.lock().unwrap() += &format!("{line}\n");
        Some(line)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn event(line: &str, message: &str) -> Option<serde_json::Value> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    let begins = event["message"].as_str()?.starts_with(message);
    begins.then_some(event)
}
