//! Keeps up with one source: looks when it changes, tries what is new, and hands on what is good.
//!
//! One keeper a source, one look at a time. A rotation is a transaction: whatever goes wrong
//! between reading new keys and taking them into use leaves the old ones in use, and an empty,
//! half-written, mixed or refused pair never gets that far.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::keys::Digest;
use super::status::Outcome;
use super::store::{Store, no_credentials};
use super::watch::Watch;
use super::{Issued, Keeping, KeyPair, Origin, Verdict, pace};
use crate::error::Error;

/// How many refused pairs are remembered, so that the same one is not tried again at each look.
const REFUSED_MAX: usize = 8;
/// For how long: an operator may have switched the key on at the cloud meanwhile.
const REFUSED_FOR: Duration = Duration::from_secs(10 * 60);
/// How often files that keep changing are read before they are left for the next look.
const SETTLE_TRIES: u32 = 5;

pub(super) struct Keeper {
    store: Arc<Store>,
    origin: Origin,
    keeping: Keeping,
    woken: mpsc::Receiver<()>,
    watch: Option<Watch>,
    next_look: Instant,
    failures: u32,
    candidate: Option<Candidate>,
    refused: Vec<(Digest, Instant)>,
}

/// New keys that wait for the cloud's word.
struct Candidate {
    issued: Issued,
    digest: Digest,
    read: Instant,
    refusals: usize,
    next: Instant,
}

impl Keeper {
    pub(super) fn new(
        store: Arc<Store>,
        origin: Origin,
        keeping: Keeping,
        woken: mpsc::Receiver<()>,
    ) -> Self {
        let watch = match &origin {
            Origin::Local(source) => source.directory().map(Watch::new),
            Origin::Issued(_) => None,
        };
        Self {
            store,
            origin,
            keeping,
            woken,
            watch,
            next_look: Instant::now(),
            failures: 0,
            candidate: None,
            refused: Vec::new(),
        }
    }

    /// The first look at a source of this machine, before anyone calls. There are no good keys yet
    /// that could be lost, so nothing is tried.
    pub(super) fn read_first(&mut self) {
        if let Origin::Local(source) = &self.origin {
            match source.read() {
                Ok(keys) => {
                    self.store.promote(keys, None, false);
                    self.looked(None);
                }
                Err(why) => self.failed(no_credentials(&why)),
            }
        }
    }

    /// Runs until the last handle is gone.
    pub(super) async fn run(mut self) {
        loop {
            let due = [
                Some(self.next_look),
                self.candidate.as_ref().map(|candidate| candidate.next),
                self.store.prune(),
            ];
            let due = due.into_iter().flatten().min().unwrap_or(self.next_look);
            tokio::select! {
                woken = self.woken.recv() => match woken {
                    None => return,
                    Some(()) => self.asked().await,
                },
                () = changed(self.watch.as_ref()) => {
                    self.settle().await;
                    self.look().await;
                }
                () = sleep_until(due) => {
                    if Instant::now() >= self.next_look {
                        if let Some(watch) = &mut self.watch {
                            watch.renew();
                        }
                        self.look().await;
                    }
                }
            }
            if let Some(candidate) = &self.candidate
                && Instant::now() >= candidate.next
            {
                self.consider().await;
            }
            self.store.land();
        }
    }

    /// A call found no keys, or its key was refused.
    async fn asked(&mut self) {
        if let Some(suspect) = self.store.take_suspect()
            && let Ok(keys) = &suspect.keys
        {
            let now = Instant::now();
            let life = suspect
                .ends()
                .map(|ends| ends.saturating_duration_since(now));
            let digest = keys.digest();
            if self.keeping.trial.is_some() {
                self.candidate = Some(Candidate {
                    issued: Issued {
                        keys: keys.clone(),
                        life,
                    },
                    digest,
                    read: now,
                    refusals: 1,
                    next: now + self.keeping.pace.trials[0],
                });
            } else {
                self.refuse(digest);
            }
            return;
        }
        // A wake may be one of many for the same want, and late.
        if self.store.wanting() && !self.store.pausing() {
            self.look().await;
        }
    }

    /// Reads the source, and decides what to do with what it holds.
    async fn look(&mut self) {
        match self.read().await {
            Ok(issued) => self.found(issued).await,
            Err(error) => self.failed(error),
        }
    }

    async fn read(&self) -> Result<Issued, Error> {
        let source = match &self.origin {
            Origin::Issued(issuer) => return issuer.issue().await,
            Origin::Local(source) => source,
        };
        let mut keys = source.read().map_err(|why| no_credentials(&why))?;
        // Files that are written one after the other are read until they rest.
        for _ in 0..SETTLE_TRIES {
            if self.in_use(keys.digest()) {
                return Ok(Issued { keys, life: None });
            }
            sleep(self.keeping.pace.settle).await;
            let again = source.read().map_err(|why| no_credentials(&why))?;
            if again.digest() == keys.digest() {
                return Ok(Issued { keys, life: None });
            }
            keys = again;
        }
        Err(no_credentials("the files do not stop changing."))
    }

    async fn found(&mut self, issued: Issued) {
        self.failures = 0;
        let digest = issued.keys.digest();
        if self.in_use(digest) {
            self.candidate = None;
            self.store.extend(issued.life);
            self.looked(issued.life);
            return;
        }
        self.refused.retain(|(_, at)| at.elapsed() < REFUSED_FOR);
        if self.refused.iter().any(|(known, _)| *known == digest) {
            self.looked(issued.life);
            return;
        }
        let present = self.store.present();
        if let Ok(keys) = &present.keys
            && present.proven()
            && issued.keys.mixes_with(keys)
        {
            self.failed(no_credentials(
                "one half of the key has changed and the other has not, so they are of two keys; write both.",
            ));
            return;
        }
        self.looked(issued.life);
        match &mut self.candidate {
            Some(candidate) if candidate.digest == digest => candidate.issued.life = issued.life,
            _ => {
                let now = Instant::now();
                self.candidate = Some(Candidate {
                    issued,
                    digest,
                    read: now,
                    refusals: 0,
                    next: now,
                });
                self.consider().await;
            }
        }
    }

    /// Takes the candidate into use, or puts it off, or drops it.
    async fn consider(&mut self) {
        let Some(mut candidate) = self.candidate.take() else {
            return;
        };
        let pace = self.keeping.pace;
        // A key that was refused once is not taken without the cloud's word.
        let wanted = self.keeping.verify || candidate.refusals > 0;
        let verdict = match &self.keeping.trial {
            // Nothing good can be lost.
            _ if !self.store.usable() => None,
            Some(trial) if wanted => Some(trial.try_keys(&candidate.issued.keys).await),
            _ => None,
        };
        let now = Instant::now();
        match verdict {
            None => self.promote(candidate, false),
            Some(Verdict::Taken) => self.promote(candidate, true),
            Some(Verdict::Unclear(why)) if now >= candidate.read + pace.patience => {
                warn!(source = ?self.origin, why, "credentials: the new key could not be tried; it is taken as it is");
                self.promote(candidate, false);
            }
            Some(Verdict::Unclear(why)) => {
                self.store.report(Outcome::Pending, Some(why));
                candidate.next = now + (pace.patience / 8).max(Duration::from_millis(1));
                self.candidate = Some(candidate);
            }
            Some(Verdict::Refused(why)) => {
                if self.store.report(Outcome::Refused, Some(why.clone())) {
                    warn!(source = ?self.origin, why, "credentials: the cloud refuses the new key; the last good one stays");
                }
                match pace.trials.get(candidate.refusals) {
                    Some(pause) => {
                        candidate.refusals += 1;
                        candidate.next = now + *pause;
                        self.candidate = Some(candidate);
                    }
                    None => self.refuse(candidate.digest),
                }
            }
        }
    }

    fn promote(&mut self, candidate: Candidate, proven: bool) {
        let Issued { keys, life } = candidate.issued;
        // Time has passed since the keys were made.
        let life = life.map(|life| life.saturating_sub(candidate.read.elapsed()));
        let fingerprint = keys.fingerprint();
        self.store.promote(keys, life, proven);
        info!(source = ?self.origin, fingerprint, tried = proven, "credentials: new keys are in use");
    }

    fn refuse(&mut self, digest: Digest) {
        if self.refused.len() == REFUSED_MAX {
            self.refused.remove(0);
        }
        self.refused.push((digest, Instant::now()));
    }

    /// Plans the next look after a good one.
    fn looked(&mut self, life: Option<Duration>) {
        self.failures = 0;
        let pace = self.keeping.pace;
        let pause = match (&self.origin, life) {
            (Origin::Local(_), _) => pace.poll,
            (Origin::Issued(_), None) => pace.refetch,
            (Origin::Issued(_), Some(life)) => life.saturating_sub(pace::ahead(life)),
        };
        self.next_look = Instant::now() + pause;
    }

    /// Plans the next look after a failed one.
    fn failed(&mut self, error: Error) {
        self.failures += 1;
        let pause = self.store.fail(error, self.failures);
        let pace = self.keeping.pace;
        self.next_look = Instant::now()
            + match &self.origin {
                Origin::Local(_) if !self.store.usable() => pace.poll_missing,
                Origin::Local(_) => pause.min(pace.poll),
                Origin::Issued(_) => pause,
            };
    }

    /// Waits until nothing has changed for a while: writers of several files are given time, though
    /// not for ever.
    async fn settle(&self) {
        for _ in 0..SETTLE_TRIES {
            if timeout(self.keeping.pace.settle, changed(self.watch.as_ref()))
                .await
                .is_err()
            {
                return;
            }
        }
    }

    fn in_use(&self, digest: Digest) -> bool {
        self.store
            .present()
            .keys
            .as_ref()
            .map(KeyPair::digest)
            .is_ok_and(|present| present == digest)
    }
}

async fn changed(watch: Option<&Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
