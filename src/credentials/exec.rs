//! Keys that a command prints, as `credential_process` of AWS tools and `ExecCredential` of kubectl
//! do.
//!
//! The command is run as it is named, without a shell, with the variables that the configuration
//! lists and no others, and nothing to read. Its time and its output are bounded. What it writes to
//! standard error may hold anything, so it is read away and never shown. It is over when it exits:
//! its children are ended with it, whatever they hold open.

use std::fmt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::children::{self, Group};
use super::{Issued, Issuer, Reader, document};
use crate::clock;
use crate::error::{Component, Error, Kind, Result, reason};

/// Longest output that is read.
const OUTPUT_MAX: usize = 64 << 10;
/// How long what is left in the pipes may take to be read once the command has exited.
const REST: Duration = Duration::from_millis(500);

/// One command.
pub struct Exec {
    /// The program: a path, or a name that is looked up in `PATH` if that is passed on.
    pub command: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// The names of the variables that are passed on.
    pub variables: Vec<String>,
    /// Reads one variable.
    pub read: Reader,
    /// How long it may take.
    pub timeout: Duration,
}

#[async_trait]
impl Issuer for Exec {
    async fn issue(&self) -> Result<Issued> {
        children::reap_left_behind();
        let mut command = Command::new(&self.command);
        command
            .args(&self.args)
            .env_clear()
            .envs(
                self.variables
                    .iter()
                    .filter_map(|name| Some((name, (self.read)(name)?))),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(|fault| self.failed(&format!("cannot be started ({})", fault.kind())))?;
        // Out of time, both are dropped: the command and its children are killed.
        let group = Group::of(child.id());
        let mut printed = Printed::new();
        let ended = timeout(self.timeout, run(&mut child, group, &mut printed)).await;
        let status = ended.map_err(|_| {
            self.failed(&format!(
                "did not end within {} ms and was killed",
                self.timeout.as_millis()
            ))
        })?;
        let status = status
            .map_err(|fault| self.failed(&format!("cannot be waited for ({})", fault.kind())))?;
        // First: a command whose output is read no further may end by that.
        let out = printed
            .text()
            .ok_or_else(|| self.failed(&format!("printed more than {OUTPUT_MAX} bytes")))?;
        if !status.success() {
            return Err(self.failed(&format!(
                "failed ({status}); the {} bytes that it wrote to standard error are not shown, run it by hand",
                printed.complaint
            )));
        }
        document::decode(out, clock::now()).map_err(|why| {
            self.failed(&format!(
                "printed something else than a key: {}",
                why.trim_end_matches('.')
            ))
        })
    }

    fn describe(&self) -> String {
        format!("the command {}", self.command.display())
    }
}

impl Exec {
    fn failed(&self, what: &str) -> Error {
        Error::new(
            Kind::Unauthenticated,
            reason::CREDENTIALS_COMMAND_FAILED,
            format!("The credentials command {} {what}.", self.command.display()),
        )
        .component(Component::Sidecar)
    }
}

/// Waits until the command has exited, and reads what it printed until then.
async fn run(
    child: &mut Child,
    group: Group,
    printed: &mut Printed,
) -> std::io::Result<ExitStatus> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let Printed {
        bytes,
        length,
        complaint,
    } = printed;
    let reading = async { tokio::join!(read(out, bytes, length), discard(err, complaint)) };
    let mut reading = std::pin::pin!(reading);
    let mut open = true;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            _ = &mut reading, if open => open = false,
        }
    };
    // With the children that held the pipes, these come to their end; what is in them stays
    // readable.
    drop(group);
    if open {
        let _ = timeout(REST, reading).await;
    }
    status
}

/// What a command has written.
struct Printed {
    /// Standard output, in memory that is wiped and never grows; one byte longer than it may be.
    bytes: Zeroizing<Vec<u8>>,
    length: usize,
    /// The number of bytes on standard error.
    complaint: u64,
}

impl Printed {
    fn new() -> Self {
        Self {
            bytes: Zeroizing::new(vec![0; OUTPUT_MAX + 1]),
            length: 0,
            complaint: 0,
        }
    }

    /// Standard output; `None` when it is too long.
    fn text(&self) -> Option<&[u8]> {
        self.bytes
            .get(..self.length)
            .filter(|text| text.len() <= OUTPUT_MAX)
    }
}

/// Reads a pipe to its end, or until the buffer is full: whoever writes on then is ended by that.
async fn read(pipe: Option<impl AsyncRead + Unpin>, bytes: &mut [u8], length: &mut usize) {
    let Some(mut pipe) = pipe else { return };
    while *length < bytes.len() {
        match pipe.read(&mut bytes[*length..]).await {
            Ok(0) | Err(_) => return,
            Ok(count) => *length += count,
        }
    }
}

/// Reads a pipe away, so that its writer is not held up.
async fn discard(pipe: Option<impl AsyncRead + Unpin>, length: &mut u64) {
    let Some(mut pipe) = pipe else { return };
    let mut bytes = Zeroizing::new([0; 1024]);
    while let Ok(count @ 1..) = pipe.read(&mut bytes[..]).await {
        *length += count as u64;
    }
}

impl fmt::Debug for Exec {
    /// Without the arguments, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn shell(script: &str) -> Exec {
        Exec {
            command: "/bin/sh".into(),
            args: vec!["-c".to_owned(), script.to_owned()],
            variables: vec!["PASSED".to_owned(), "ABSENT".to_owned()],
            read: Arc::new(|name| (name != "ABSENT").then(|| format!("value-of-{name}"))),
            timeout: Duration::from_secs(10),
        }
    }

    #[tokio::test]
    async fn a_key_and_its_end_are_read_and_only_listed_variables_are_passed_on() {
        let script = r#"printf '{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"%s","Expiration":"2999-01-01T00:00:00Z"}' "$PASSED" "x${OTHER}${HOME}y""#;
        let issued = shell(script).issue().await.unwrap();
        assert_eq!(issued.keys.access_key, "value-of-PASSED");
        assert_eq!(issued.keys.secret_key.reveal(), "xy");
        assert!(issued.life.unwrap() > Duration::from_secs(86_400 * 365));
    }

    #[tokio::test]
    async fn a_command_that_fails_is_named_and_what_it_said_is_not_shown() {
        for (script, what) in [
            ("echo canary >&2; exit 3", "exit status: 3"),
            ("echo canary", "something else than a key"),
            ("head -c 100000 /dev/zero", "more than 65536 bytes"),
            ("kill -9 $$", "signal: 9"),
        ] {
            let error = shell(script).issue().await.unwrap_err();
            assert_eq!(error.reason, "CREDENTIALS_COMMAND_FAILED");
            assert!(
                error.message.contains(what) && !error.message.contains("canary"),
                "{}",
                error.message
            );
        }
        let absent = Exec {
            command: "/no/such/command".into(),
            ..shell("")
        };
        assert!(
            absent
                .issue()
                .await
                .unwrap_err()
                .message
                .contains("cannot be started")
        );
    }

    #[tokio::test]
    async fn a_command_that_does_not_end_is_killed() {
        let directory = tempfile::tempdir().unwrap();
        let mark = directory.path().join("lived-on");
        let slow = Exec {
            timeout: Duration::from_millis(100),
            ..shell(&format!("sleep 1; touch {}", mark.display()))
        };
        let error = slow.issue().await.unwrap_err();
        assert!(
            error.message.contains("did not end within 100 ms"),
            "{}",
            error.message
        );
        tokio::time::sleep(Duration::from_millis(1300)).await;
        assert!(!mark.exists());
    }

    /// The process with this id, as long as it runs.
    fn runs(id: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[tokio::test]
    async fn a_key_counts_when_the_command_has_exited_and_its_children_end_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let (inside, outside) = (
            directory.path().join("inside"),
            directory.path().join("outside"),
        );
        let script = format!(
            "sleep 60 & echo $! > {}; setsid sleep 60 & echo $! > {}; \
             echo '{{\"AccessKeyId\":\"id\",\"SecretAccessKey\":\"secret\"}}'",
            inside.display(),
            outside.display()
        );
        let began = tokio::time::Instant::now();
        let issued = shell(&script).issue().await.unwrap();
        assert_eq!(issued.keys.access_key, "id");
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "{:?}",
            began.elapsed()
        );
        let id = std::fs::read_to_string(inside).unwrap();
        let mut patience = 500;
        while runs(id.trim()) {
            patience -= 1;
            assert!(patience > 0, "{id} lives on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // What has left the group on purpose is not ours to end.
        let id = std::fs::read_to_string(outside).unwrap();
        std::process::Command::new("/bin/kill")
            .arg(id.trim())
            .status()
            .unwrap();
    }

    #[tokio::test]
    async fn a_sentence_about_what_was_printed_ends_once() {
        for printed in ["canary", "{}", "[1]"] {
            let error = shell(&format!("echo '{printed}'"))
                .issue()
                .await
                .unwrap_err();
            assert!(
                error.message.ends_with('.')
                    && !error.message.ends_with("..")
                    && !error.message.contains(" It"),
                "{}",
                error.message
            );
        }
    }
}
