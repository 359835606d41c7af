//! What the scripted upstream does with one request: bytes, pauses and ends, in any order.

use std::time::Duration;

/// One thing to do on the connection.
#[derive(Clone, Debug)]
pub enum Step {
    /// Write these bytes.
    Write(Vec<u8>),
    /// Write these bytes one at a time with a pause before each.
    Drip(Vec<u8>, Duration),
    /// Answer a run with its own arguments as the result.
    Echo,
    /// Write zeros until the peer hangs up.
    Endless,
    /// Do nothing for a while.
    Pause(Duration),
    /// Do nothing until the peer hangs up.
    Stall,
    /// Close the connection as a good server would (FIN).
    Close,
    /// Close it as a dying one does (RST, by a linger time of zero).
    Reset,
}

/// The whole script for one request. Without an end the connection stays open for the next request.
#[derive(Clone, Debug)]
pub struct Answer {
    pub steps: Vec<Step>,
    /// Answered even when the signature is wrong: for what happens before a gateway looks at it.
    pub blind: bool,
}

/// An HTTP answer before it becomes bytes.
#[derive(Clone, Debug)]
pub struct Http {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    content_length: Option<usize>,
}

/// `200` with `{"content": …}`.
pub fn content(json: &str) -> Http {
    http(200, &format!("{{\"content\":{json}}}"))
}

/// An answer with a JSON body.
pub fn http(status: u16, body: &str) -> Http {
    Http {
        status,
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: body.as_bytes().to_vec(),
        content_length: Some(body.len()),
    }
}

/// An id as the cloud makes them.
pub const ID: &str = "0f3c2b1a0f3c2b1a0f3c2b1a0f3c2b1a";

/// NCP's answer of a run that went well.
pub fn success(result: &str) -> Http {
    content(&format!(
        r#"{{"activationId":"{ID}","duration":3,"end":1713936450102,"name":"hello","namespace":"AbCdEf","response":{{"result":{result},"status":"success","success":true}},"start":1713936450099,"subject":"AbCdEf"}}"#
    ))
}

/// The functions service's error document.
pub fn fault(status: u16, code: &str, message: &str) -> Http {
    http(
        status,
        &format!(r#"{{"error":{{"errorCode":"{code}","message":"{message}","details":""}}}}"#),
    )
}

/// A proxy's page.
pub fn html(status: u16) -> Http {
    let page = "<html><head><title>Oops</title></head><body><h1>Something broke</h1></body></html>";
    http(status, page).header("Content-Type", "text/html")
}

/// `204` without a body.
pub fn no_content() -> Http {
    Http {
        status: 204,
        headers: Vec::new(),
        body: Vec::new(),
        content_length: None,
    }
}

/// Steps without an HTTP answer.
pub fn steps<const N: usize>(steps: [Step; N]) -> Answer {
    Answer {
        steps: steps.into(),
        blind: true,
    }
}

impl Http {
    /// With these bytes for a body, and their length.
    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self.content_length = Some(body.len());
        self
    }

    pub fn body_bytes(&self) -> &[u8] {
        &self.body
    }

    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Without this header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Says this length whatever the body is.
    pub fn content_length(mut self, length: usize) -> Self {
        self.content_length = Some(length);
        self
    }

    /// Says no length: the body ends with the connection.
    pub fn until_close(mut self) -> Self {
        self.content_length = None;
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(length) = self.content_length {
            out.push_str(&format!("Content-Length: {length}\r\n"));
        }
        out.push_str("\r\n");
        [out.into_bytes(), self.body.clone()].concat()
    }

    /// Writes the first `count` bytes of the answer (head included) and then does `end`.
    pub fn cut_after(&self, count: usize, end: Step) -> Answer {
        let mut bytes = self.bytes();
        bytes.truncate(count);
        steps([Step::Write(bytes), end])
    }

    /// Writes the head and half of the body and then does `end`.
    pub fn half(&self, end: Step) -> Answer {
        self.cut_after(self.bytes().len() - self.body.len() / 2, end)
    }

    /// The whole answer, then `step`.
    pub fn then(&self, step: Step) -> Answer {
        steps([Step::Write(self.bytes()), step])
    }

    /// The whole answer after a pause.
    pub fn after(&self, pause: Duration) -> Answer {
        steps([Step::Pause(pause), Step::Write(self.bytes())])
    }
}

impl From<Http> for Answer {
    fn from(http: Http) -> Self {
        Self {
            steps: vec![Step::Write(http.bytes())],
            blind: false,
        }
    }
}
