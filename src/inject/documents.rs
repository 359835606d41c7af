//! Files of manifests: several YAML documents or JSON values after one another. What does not
//! change is written as it was read, byte for byte; what changes is written anew, its keys in their
//! order and its comments lost.

use serde_saphyr::Options;

use super::object::{self, Ask, Seen};
use super::{Node, Template};
use crate::settings::{Faults, Place};

/// The largest input, in bytes.
const MAX_BYTES: usize = 64 << 20;

/// The documents of one input.
#[derive(Clone, Debug)]
pub struct Documents {
    json: bool,
    documents: Vec<Document>,
}

#[derive(Clone, Debug)]
struct Document {
    /// The line `---` or `...` before it, or its beginning; empty for the first document and for
    /// JSON.
    marker: String,
    /// What follows, as it was read.
    text: String,
    /// `None` = comments alone.
    node: Option<Node>,
    changed: bool,
}

/// What came of an input.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The whole input, with sidecars.
    pub text: String,
    /// What was met on the way.
    pub seen: Seen,
}

impl Documents {
    /// Reads an input: JSON when it is JSON, else YAML as Kubernetes takes it (1.1: `yes` is true,
    /// 0644 is octal).
    ///
    /// # Errors
    /// The first mistake that keeps it from being read, with its line.
    pub fn read(text: &str) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        if text.len() > MAX_BYTES {
            faults.push(
                "",
                Place::Nowhere,
                "is larger than 64 MiB; give it in parts",
            );
            return Err(faults);
        }
        let as_json = text.trim_start().starts_with('{').then(|| json(text));
        if let Some(Ok(documents)) = as_json {
            return Ok(Self {
                json: true,
                documents,
            });
        }
        let mut documents = split(text);
        let mut line = 0;
        for document in &mut documents {
            // The rest of the marker's line belongs to the document, so that its first line is
            // counted there.
            let begins = line + lines(&document.marker);
            line = begins + lines(&document.text);
            if is_silent(&document.text) {
                continue;
            }
            match from_yaml(&document.text) {
                Ok(node) => document.node = Some(node),
                Err((place, message)) => {
                    let place = match place {
                        Place::Line(at) => Place::Line(at + begins),
                        place => place,
                    };
                    let message = match &as_json {
                        Some(Err(why)) if documents.len() == 1 => {
                            format!("is neither JSON ({why}) nor YAML ({message})")
                        }
                        _ => format!("is not YAML that can be read: {message}"),
                    };
                    faults.push("", place, message);
                    return Err(faults);
                }
            }
        }
        Ok(Self {
            json: false,
            documents,
        })
    }

    /// Puts the sidecar into every pod and every workload's template that asks.
    ///
    /// # Errors
    /// Every mistake of every pod; nothing is changed then.
    pub fn inject(mut self, ask: &Ask, template: &Template) -> Result<Changed, Faults> {
        let mut faults = Faults::default();
        let mut seen = Seen::default();
        for document in &mut self.documents {
            if let Some(node) = &mut document.node {
                document.changed = object::inject(node, ask, template, &mut seen, &mut faults);
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let text = self.write().map_err(|why| {
            let mut faults = Faults::default();
            faults.push(
                "",
                Place::Nowhere,
                format!("cannot be written again ({why})"),
            );
            faults
        })?;
        Ok(Changed { text, seen })
    }

    fn write(&self) -> Result<String, String> {
        let mut text = String::new();
        for document in &self.documents {
            text.push_str(&document.marker);
            match &document.node {
                Some(node) if document.changed && self.json => {
                    text.push_str(
                        &serde_json::to_string_pretty(node).map_err(|why| why.to_string())?,
                    );
                    text.push('\n');
                }
                Some(node) if document.changed => {
                    if !document.marker.is_empty() && !document.marker.ends_with('\n') {
                        text.push('\n');
                    }
                    text.push_str(&to_yaml(node)?);
                }
                _ => text.push_str(&document.text),
            }
        }
        Ok(text)
    }
}

/// Each value with the space before it.
fn json(text: &str) -> Result<Vec<Document>, serde_json::Error> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Node>();
    let mut documents = Vec::new();
    let mut begins = 0;
    while let Some(node) = values.next().transpose()? {
        let ends = values.byte_offset();
        documents.push((begins, ends, node));
        begins = ends;
    }
    let whole = documents.len();
    let documents = documents
        .into_iter()
        .enumerate()
        .map(|(at, (begins, ends, node))| Document {
            marker: String::new(),
            text: text[begins..if at + 1 == whole { text.len() } else { ends }].to_owned(),
            node: Some(node),
            changed: false,
        });
    Ok(documents.collect())
}

/// At the lines that begin with `---` or `...`; nothing else can stand there in YAML.
fn split(text: &str) -> Vec<Document> {
    let document = |marker: &str, text: &str| Document {
        marker: marker.to_owned(),
        text: text.to_owned(),
        node: None,
        changed: false,
    };
    let mut documents = vec![document("", "")];
    for line in text.split_inclusive('\n') {
        let after = |marker: &str| {
            line.strip_prefix(marker)
                .filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
        };
        if let Some(rest) = after("---") {
            let comment = rest.trim_start();
            // What else stands on the marker's line belongs to the document.
            let silent = comment.is_empty() || comment.starts_with('#');
            documents.push(if silent {
                document(line, "")
            } else {
                document("---", rest)
            });
        } else if after("...").is_some() {
            documents.push(document(line, ""));
        } else if let Some(document) = documents.last_mut() {
            document.text.push_str(line);
        }
    }
    documents
}

fn lines(text: &str) -> u64 {
    text.bytes().map(|byte| u64::from(byte == b'\n')).sum()
}

/// Comments, directives and empty lines.
fn is_silent(text: &str) -> bool {
    text.lines()
        .map(str::trim_start)
        .all(|line| line.is_empty() || line.starts_with(['#', '%']))
}

/// One YAML document, as Kubernetes reads it.
pub(super) fn from_yaml(text: &str) -> Result<Node, (Place, String)> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let place = error
            .location()
            .map_or(Place::Nowhere, |at| Place::Line(at.line()));
        // Without the snippet, which could repeat a line with a secret; the place is told beside
        // the message.
        let message = error.without_snippet().to_string();
        let message = message.lines().next().unwrap_or_default();
        let message = message.split(" at line ").next().unwrap_or(message);
        (place, message.trim_end_matches('.').to_owned())
    })
}

fn options() -> Options {
    let budget = serde_saphyr::budget! {
        max_events: 8_000_000,
        max_aliases: 10_000,
        max_depth: 64,
        max_documents: 1,
        max_nodes: 4_000_000,
        max_merge_keys: 10_000
    };
    serde_saphyr::options! {
        budget: budget,
        strict_booleans: false,
        legacy_octal_numbers: true,
        reject_unsupported_tags: true,
        with_snippet: false
    }
}

pub(super) fn to_yaml(node: &Node) -> Result<String, String> {
    let options = serde_saphyr::ser_options! {
        // Long lines stay lines; those that hold ends of lines become blocks.
        folded_wrap_chars: usize::MAX
    };
    serde_saphyr::to_string_with_options(node, options).map_err(|why| why.to_string())
}
