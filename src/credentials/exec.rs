//! Keys that a command prints, as `credential_process` of AWS tools and `ExecCredential` of kubectl do.
//!
//! The command is run as it is named, without a shell, with the variables that the configuration lists and no others,
//! and nothing to read. Its time and its output are bounded. What it writes to standard error may hold anything, so it
//! is read away and never shown.

use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{Issued, Issuer, Reader, document};
use crate::clock;
use crate::error::{Component, Error, Kind, Result};

/// Longest output that is read.
const OUTPUT_MAX: usize = 64 << 10;

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
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(|fault| self.failed(&format!("cannot be started ({})", fault.kind())))?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let all = async {
            let (out, written, status) = tokio::join!(output(out), discard(err), child.wait());
            (out, written, status)
        };
        // Out of time, the child is dropped and killed with it.
        let (out, written, status) = timeout(self.timeout, all).await.map_err(|_| {
            self.failed(&format!(
                "did not end within {} ms and was killed",
                self.timeout.as_millis()
            ))
        })?;
        let status =
            status.map_err(|fault| self.failed(&format!("cannot be waited for ({})", fault.kind())))?;
        // First: a command whose output is read no further may end by that.
        let out = out.ok_or_else(|| self.failed(&format!("printed more than {OUTPUT_MAX} bytes")))?;
        if !status.success() {
            return Err(self.failed(&format!(
                "failed ({status}); the {written} bytes that it wrote to standard error are not shown, run it by hand"
            )));
        }
        document::decode(&out, clock::now())
            .map_err(|why| self.failed(&format!("printed something else than a key: {why} It")))
    }

    fn describe(&self) -> String {
        format!("the command {}", self.command.display())
    }
}

impl Exec {
    fn failed(&self, what: &str) -> Error {
        Error::new(
            Kind::Unauthenticated,
            "CREDENTIALS_COMMAND_FAILED",
            format!("The credentials command {} {what}.", self.command.display()),
        )
        .component(Component::Sidecar)
    }
}

/// Standard output to its end, in memory that is wiped and never grows; `None` when it is too long.
async fn output(pipe: Option<impl AsyncRead + Unpin>) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; OUTPUT_MAX + 1]);
    let mut pipe = pipe?;
    let mut length = 0;
    loop {
        match pipe.read(bytes.get_mut(length..)?).await {
            Ok(0) | Err(_) if length <= OUTPUT_MAX => {
                bytes.truncate(length);
                return Some(bytes);
            }
            Ok(count) if count > 0 => length += count,
            // More than the bound: reading ends, and so does whoever writes on.
            _ => return None,
        }
    }
}

/// Reads a pipe away, so that its writer is not held up; the number of bytes.
async fn discard(pipe: Option<impl AsyncRead + Unpin>) -> u64 {
    let Some(mut pipe) = pipe else { return 0 };
    tokio::io::copy(&mut pipe, &mut tokio::io::sink())
        .await
        .unwrap_or(0)
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
}
