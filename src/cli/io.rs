//! The streams of a command: results to one, complaints to the other.

use std::fmt;
use std::io::{ErrorKind, Read, Write};

use super::exit::Exit;

/// The streams of a command; tests put buffers here.
pub struct Io<'s> {
    /// Results.
    pub out: &'s mut dyn Write,
    /// Complaints.
    pub err: &'s mut dyn Write,
    /// What is piped in.
    pub input: &'s mut dyn Read,
}

impl Io<'_> {
    /// Prints a result, ending its last line. A reader that has had enough (`| head`) is no
    /// failure.
    pub fn print(&mut self, text: &str) -> Exit {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        self.print_as_it_is(&format!("{text}{end}"))
    }

    /// Prints a result as it is.
    pub fn print_as_it_is(&mut self, text: &str) -> Exit {
        match self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush())
        {
            Ok(()) => Exit::Clean,
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Exit::Clean,
            Err(error) => {
                self.complain(&format!(
                    "faas-sidecar: the result cannot be written ({error})"
                ));
                Exit::Failed
            }
        }
    }

    /// Prints a complaint. Should even that fail, the exit code is left to speak.
    pub fn complain(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}").and_then(|()| self.err.flush());
    }

    /// Prints a complaint about the arguments.
    pub fn misused(&mut self, text: &str) -> Exit {
        self.complain(&format!(
            "error: {text}\n\nFor more information, try '--help'."
        ));
        Exit::Usage
    }
}

impl fmt::Debug for Io<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Io")
    }
}
