//! The binary as a child process that runs beside the test, read line by line and never left
//! behind.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Longer than anything here takes, so that only a hang meets it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A child that is killed when the test ends, however it ends.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

/// A sidecar that has told where it listens and that it is ready.
pub(crate) struct Sidecar {
    pub(crate) process: Running,
    /// The first TCP address.
    pub(crate) address: String,
}

impl Running {
    /// Starts the binary; its lines come from standard error if `log`, else from standard output.
    pub(crate) fn start(args: &[&str], env: &[(&str, &str)], log: bool) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_faas-sidecar"))
            .args(args)
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
        Self { child, lines }
    }

    /// The next line for which `wanted` has an answer.
    pub(crate) fn line<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> T {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap();
            if let Some(found) = wanted(&line) {
                return found;
            }
        }
    }

    /// The next log event with this message.
    pub(crate) fn event(&self, message: &str) -> serde_json::Value {
        self.line(|line| {
            let event: serde_json::Value = serde_json::from_str(line).ok()?;
            event["message"]
                .as_str()?
                .starts_with(message)
                .then_some(event)
        })
    }

    /// All lines that come until it ends.
    pub(crate) fn rest(&self) -> String {
        let mut rest = String::new();
        // The reader's thread lets go when the stream ends.
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            rest.push_str(&line);
            rest.push('\n');
        }
        rest
    }

    /// Sends a signal, as a container's runtime does.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for the end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sidecar {
    /// Starts `serve` on a port that the system chooses, with further arguments.
    pub(crate) fn serve(args: &[&str], env: &[(&str, &str)]) -> Self {
        let all = [
            &[
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--log-format",
                "json",
                "--threads",
                "1",
            ],
            args,
        ]
        .concat();
        let process = Running::start(&all, env, true);
        let address = process.event("listening")["address"]
            .as_str()
            .unwrap()
            .to_owned();
        process.event("ready");
        Self { process, address }
    }
}
