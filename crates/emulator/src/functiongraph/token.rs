//! Tokens that IAM gave out. They live in memory: a restart invalidates them, as a change of rights
//! does in the cloud.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::access::Identity;
use crate::random;

/// "Several KB" (IAM docs): long enough to find clients that keep headers short.
const LENGTH: usize = 3000;
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[derive(Debug, Default)]
pub(super) struct Tokens {
    issued: Mutex<HashMap<String, Token>>,
}

/// What a token stands for.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) identity: Identity,
    pub(super) expires_ms: i64,
}

impl Tokens {
    pub(super) fn issue(&self, token: Token, now_ms: i64) -> String {
        let text = format!("MII{}", random::text(ALPHABET, LENGTH));
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that ended a day ago are forgotten; until then they are known as ended.
        issued.retain(|_, old| old.expires_ms.saturating_add(24 * 3600 * 1000) > now_ms);
        issued.insert(text.clone(), token);
        text
    }

    pub(super) fn find(&self, text: &str) -> Option<Token> {
        let issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        issued.get(text.trim()).cloned()
    }
}
