//! NAVER Cloud's gateway as far as keys go: it knows pairs, some of them to a certain time, and
//! checks every signature.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use faas_testkit::answer::{Http, http};
use faas_testkit::upstream::{Received, Upstream};

#[derive(Default)]
pub struct Keys {
    /// Id → secret, and when it ends.
    known: Mutex<HashMap<String, (String, Option<Instant>)>>,
    /// How many runs each id signed.
    used: Mutex<HashMap<String, usize>>,
    pub runs: AtomicUsize,
    pub refused: AtomicUsize,
    pub trials: AtomicUsize,
    pub refused_trials: AtomicUsize,
}

pub struct Cloud {
    pub keys: Arc<Keys>,
    pub server: Upstream,
}

impl Cloud {
    pub async fn start() -> Self {
        let keys = Arc::new(Keys::default());
        let gateway = Arc::clone(&keys);
        Self {
            keys,
            server: Upstream::by(move |asked| gateway.answer(asked)).await,
        }
    }
}

impl Keys {
    pub fn make(&self, id: &str, secret: &str) {
        self.known
            .lock()
            .unwrap()
            .insert(id.to_owned(), (secret.to_owned(), None));
    }

    /// The operator switches a key off; the gateway learns of it after `after`.
    pub fn switch_off(&self, id: &str, after: Duration) {
        self.known.lock().unwrap().get_mut(id).unwrap().1 = Some(Instant::now() + after);
    }

    /// How many keys have signed runs.
    pub fn used(&self) -> usize {
        self.used.lock().unwrap().len()
    }

    /// How many runs this one has signed.
    pub fn runs_of(&self, id: &str) -> usize {
        self.used.lock().unwrap().get(id).copied().unwrap_or(0)
    }

    fn answer(&self, asked: &Received) -> Http {
        let is_run = asked.method() == "POST";
        let Some(id) = self.signer(asked) else {
            let count = if is_run {
                &self.refused
            } else {
                &self.refused_trials
            };
            count.fetch_add(1, Ordering::Relaxed);
            return http(
                401,
                r#"{"error":{"errorCode":"200","message":"Authentication Failed"}}"#,
            );
        };
        if !is_run {
            self.trials.fetch_add(1, Ordering::Relaxed);
            return http(200, r#"{"content":[]}"#);
        }
        self.runs.fetch_add(1, Ordering::Relaxed);
        *self.used.lock().unwrap().entry(id).or_default() += 1;
        http(
            200,
            r#"{"content":{"activationId":"0f3c2b1a0f3c2b1a0f3c2b1a0f3c2b1a","duration":3,"end":1713936450102,"name":"hello","namespace":"n","response":{"result":{},"status":"success","success":true},"start":1713936450099,"subject":"n"}}"#,
        )
    }

    /// The id of the key whose signature fits.
    pub fn signer(&self, asked: &Received) -> Option<String> {
        let id = asked.header("x-ncp-iam-access-key")?;
        let timestamp = asked.header("x-ncp-apigw-timestamp")?;
        let secret = {
            let known = self.known.lock().unwrap();
            let (secret, until) = known.get(id)?;
            if until.is_some_and(|until| Instant::now() >= until) {
                return None;
            }
            secret.clone()
        };
        let message = format!("{} {}\n{timestamp}\n{id}", asked.method(), asked.target());
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(message.as_bytes());
        let expected = STANDARD.encode(mac.finalize().into_bytes());
        (asked.header("x-ncp-apigw-signature-v2")? == expected).then(|| id.to_owned())
    }
}
