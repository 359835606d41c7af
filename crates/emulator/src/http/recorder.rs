//! Remembers the latest requests, bounded in number and in bytes.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::json;

use super::Request;

/// Bodies of deployments are large: the recorder keeps no more than this many bytes of bodies.
const MAX_BODY_BYTES: usize = 256 << 20;

/// A request as it was received, and how it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRequest {
    /// The method.
    pub method: String,
    /// The raw request target, byte for byte.
    pub target: String,
    /// The headers in order, names spelt as received.
    pub headers: Vec<(String, String)>,
    /// The body, with any chunked framing taken off.
    pub body: Bytes,
    /// The status that was sent; `None` while the request runs, and after a reset or a silence.
    pub status: Option<u16>,
    /// When the request had been read, in milliseconds since 1970 by the emulator's clock.
    pub time_ms: i64,
}

impl RecordedRequest {
    /// The first header of this name, any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        super::find_header(&self.headers, name)
    }
}

#[derive(Debug)]
pub(super) struct Recorder {
    capacity: usize,
    entries: Mutex<Entries>,
    file: Option<Mutex<File>>,
}

#[derive(Debug, Default)]
struct Entries {
    list: VecDeque<(u64, RecordedRequest)>,
    next: u64,
    bytes: usize,
}

impl Recorder {
    /// With a file, each request is also appended there as one line of JSON: `time_ms`, `method`,
    /// `target`, `headers` in order as pairs, and `body` in base64. It holds whatever the requests
    /// hold, tokens included, so that a new file is for its owner alone.
    pub(super) fn new(capacity: usize, file: Option<&Path>) -> io::Result<Self> {
        let file = match file {
            Some(path) => Some(Mutex::new(
                OpenOptions::new()
                    .create(true)
                    .append(true)
                    .mode(crate::store::PRIVATE)
                    .open(path)?,
            )),
            None => None,
        };
        Ok(Self {
            capacity,
            entries: Mutex::default(),
            file,
        })
    }

    /// Writes a request down; the number is for [`Self::answered`].
    pub(super) fn received(&self, request: &Request, time_ms: i64) -> u64 {
        self.append(request, time_ms);
        let mut entries = self.lock();
        let number = entries.next;
        entries.next += 1;
        entries.bytes += request.body.len();
        let record = RecordedRequest {
            method: request.method.clone(),
            target: request.target.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            status: None,
            time_ms,
        };
        entries.list.push_back((number, record));
        while entries.list.len() > self.capacity || entries.bytes > MAX_BODY_BYTES {
            let Some((_, gone)) = entries.list.pop_front() else {
                break;
            };
            entries.bytes -= gone.body.len();
        }
        number
    }

    fn append(&self, request: &Request, time_ms: i64) {
        let Some(file) = &self.file else {
            return;
        };
        let line = json!({
            "time_ms": time_ms,
            "method": request.method,
            "target": request.target,
            "headers": request.headers,
            "body": STANDARD.encode(&request.body),
        });
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not stop the cloud; the reader of the file sees that lines are missing.
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }

    pub(super) fn answered(&self, number: u64, status: u16) {
        let mut entries = self.lock();
        if let Some((_, record)) = entries
            .list
            .iter_mut()
            .rev()
            .find(|(known, _)| *known == number)
        {
            record.status = Some(status);
        }
    }

    pub(super) fn all(&self) -> Vec<RecordedRequest> {
        self.lock()
            .list
            .iter()
            .map(|(_, record)| record.clone())
            .collect()
    }

    pub(super) fn clear(&self) {
        let mut entries = self.lock();
        entries.list.clear();
        entries.bytes = 0;
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_latest() {
        let recorder = Recorder::new(2, None).unwrap();
        for target in ["/a", "/b", "/c"] {
            let request = Request {
                method: "GET".into(),
                target: target.into(),
                headers: vec![("X-A".into(), "1".into())],
                body: Bytes::new(),
                too_large: false,
            };
            let number = recorder.received(&request, 5);
            recorder.answered(number, 200);
        }
        let targets: Vec<_> = recorder
            .all()
            .into_iter()
            .map(|r| (r.target, r.status))
            .collect();
        assert_eq!(
            targets,
            [("/b".to_owned(), Some(200)), ("/c".to_owned(), Some(200))]
        );
        assert_eq!(recorder.all()[0].header("x-a"), Some("1"));
        recorder.clear();
        assert!(recorder.all().is_empty());
    }
}
