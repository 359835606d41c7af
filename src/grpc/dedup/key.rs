//! What a call with a `request_id` is known again by.

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Faults, NAME};

/// A hash of operation, target and id: one size for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::grpc) struct Key(pub(super) [u8; 32]);

impl Key {
    pub(in crate::grpc) fn new(operation: &str, target: &str, id: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [operation, target, id] {
            // With their lengths, so that two different triples are never the same bytes.
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

/// Refuses an id that is longer than any.
pub(in crate::grpc) fn check_request_id(id: &str) -> Result<(), Error> {
    if id.len() > NAME {
        let rule = format!(
            "is {} bytes long; an id has at most {NAME}, a UUID has 36.",
            id.len()
        );
        return Err(Faults::single("request_id", rule));
    }
    Ok(())
}

/// What a request is known again by.
pub(in crate::grpc) fn fingerprint(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}
