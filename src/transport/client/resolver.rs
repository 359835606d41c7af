//! Names → addresses: one lookup a name at a time for the whole process, on a few threads of their
//! own.
//!
//! The system's resolver blocks, for half a minute when nobody answers it, so calls share its
//! lookups. While a lookup fails or is late the addresses of before are used (RFC 8767). Addresses
//! that did not answer are tried last for a while.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

/// Lookups at once, each of another name; more wait for their turn.
const MAX_THREADS: usize = 4;
/// Names and addresses remembered; a target has one or two names.
const MAX_REMEMBERED: usize = 1024;
/// How long addresses of before stand in for a lookup that fails (RFC 8767 §4: from one to three
/// days).
const STALE: Duration = Duration::from_secs(24 * 3600);
/// How long an address that did not answer is tried last.
const UNANSWERED: Duration = Duration::from_secs(60);

/// The process's names and addresses; clones share them.
#[derive(Clone)]
pub struct Resolver(Arc<Inner>);

type Lookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;
type Addresses = Arc<[IpAddr]>;
type Answer = Result<Addresses, LookupFault>;

struct Inner {
    lookup: Box<Lookup>,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    names: HashMap<String, Name>,
    threads: usize,
    /// Names whose lookup waits for a thread.
    queue: VecDeque<String>,
    /// Until when these are tried last.
    unanswered: HashMap<SocketAddr, Instant>,
}

#[derive(Default)]
struct Name {
    known: Option<(Addresses, Instant)>,
    /// The last lookup failed, or the present one is late.
    failing: bool,
    running: Option<watch::Sender<Option<Answer>>>,
}

/// Why a name has no address.
#[derive(Clone, Debug)]
pub(super) struct LookupFault {
    pub(super) why: String,
    /// This process could not look: it has no descriptor or no thread left.
    pub(super) local: bool,
}

impl Default for Resolver {
    /// The system's.
    fn default() -> Self {
        Self::with(|host| {
            Ok((host, 0)
                .to_socket_addrs()?
                .map(|address| address.ip())
                .collect())
        })
    }
}

impl Resolver {
    fn with(lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            lookup: Box::new(lookup),
            book: Mutex::default(),
        }))
    }

    /// The addresses of `host`, looked up now. Those of before stand in when the lookup fails, or
    /// takes longer than `patience`; while it keeps failing they are given at once.
    pub(super) async fn addresses(&self, host: &str, patience: Duration) -> Answer {
        let (mut running, known, failing) = self.ask(host);
        let answer = async {
            match running.wait_for(Option::is_some).await.as_deref() {
                Ok(Some(answer)) => answer.clone(),
                _ => Err(LookupFault::local("the lookup was given up")),
            }
        };
        let Some(known) = known else {
            return answer.await;
        };
        let patience = if failing { Duration::ZERO } else { patience };
        match timeout(patience, answer).await {
            Ok(answer) => answer.or(Ok(known)),
            Err(_) => {
                let mut book = self.0.book();
                if let Some(name) = book
                    .names
                    .get_mut(host)
                    .filter(|name| name.running.is_some())
                {
                    name.fails(host, "the resolver does not answer");
                }
                Ok(known)
            }
        }
    }

    /// The lookup under way, begun now if there is none; and what is known from before.
    fn ask(&self, host: &str) -> (watch::Receiver<Option<Answer>>, Option<Addresses>, bool) {
        let mut book = self.0.book();
        if book.names.len() >= MAX_REMEMBERED && !book.names.contains_key(host) {
            book.names.retain(|_, name| name.running.is_some());
        }
        let name = book.names.entry(host.to_owned()).or_default();
        let fresh = |at: Instant| at.elapsed() < STALE;
        let known = name.known.as_ref().filter(|(_, at)| fresh(*at));
        let (known, failing) = (known.map(|(known, _)| Arc::clone(known)), name.failing);
        if let Some(running) = &name.running {
            return (running.subscribe(), known, failing);
        }
        let (sender, receiver) = watch::channel(None);
        name.running = Some(sender);
        book.queue.push_back(host.to_owned());
        if book.threads < MAX_THREADS {
            let inner = Arc::clone(&self.0);
            let thread = std::thread::Builder::new().name("dns".to_owned());
            match thread.spawn(move || inner.work()) {
                Ok(_) => book.threads += 1,
                // Another thread takes it, if there is one.
                Err(why) if book.threads == 0 => {
                    let why = format!("no thread can be started: {why}");
                    while let Some(host) = book.queue.pop_front() {
                        book.end(&host, Err(LookupFault::local(&why)));
                    }
                }
                Err(_) => {}
            }
        }
        (receiver, known, failing)
    }

    /// In the order in which they are tried: both families in turn (RFC 8305 §4), those that did
    /// not answer lately last.
    pub(super) fn in_order(&self, addresses: &[IpAddr], port: u16) -> Vec<SocketAddr> {
        let first = addresses.first().is_some_and(IpAddr::is_ipv6);
        let (one, other): (Vec<_>, Vec<_>) = addresses
            .iter()
            .map(|ip| SocketAddr::new(*ip, port))
            .partition(|address| address.is_ipv6() == first);
        let mut order = Vec::with_capacity(addresses.len());
        let (mut one, mut other) = (one.into_iter(), other.into_iter());
        while order.len() < addresses.len() {
            order.extend(one.next());
            order.extend(other.next());
        }
        let (book, now) = (self.0.book(), Instant::now());
        order.sort_by_key(|address| {
            book.unanswered
                .get(address)
                .is_some_and(|until| now < *until)
        });
        order
    }

    /// Notes that an address refused, failed, or let another be tried beside it.
    pub(super) fn unanswered(&self, address: SocketAddr) {
        let (mut book, now) = (self.0.book(), Instant::now());
        if book.unanswered.len() >= MAX_REMEMBERED {
            book.unanswered.retain(|_, until| now < *until);
        }
        if book.unanswered.len() < MAX_REMEMBERED {
            book.unanswered.insert(address, now + UNANSWERED);
        }
    }

    /// Notes that an address answers.
    pub(super) fn answered(&self, address: SocketAddr) {
        self.0.book().unanswered.remove(&address);
    }
}

impl Inner {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks names up until none waits.
    fn work(&self) {
        loop {
            let host = {
                let mut book = self.book();
                let Some(host) = book.queue.pop_front() else {
                    book.threads -= 1;
                    return;
                };
                host
            };
            let answer = match (self.lookup)(&host) {
                Ok(found) if found.is_empty() => {
                    Err(LookupFault::of("the name has no address", false))
                }
                Ok(found) => Ok(found.into()),
                // The system's resolver hides that it could open no socket or file.
                Err(why) => Err(LookupFault::of(
                    &why.to_string(),
                    is_local(&why) || exhausted(),
                )),
            };
            self.book().end(&host, answer);
        }
    }
}

impl Book {
    fn end(&mut self, host: &str, answer: Answer) {
        let Some(name) = self.names.get_mut(host) else {
            return;
        };
        match &answer {
            Ok(found) => {
                if std::mem::take(&mut name.failing) {
                    info!(host, "DNS answers again");
                }
                name.known = Some((Arc::clone(found), Instant::now()));
            }
            Err(fault) => name.fails(host, &fault.why),
        }
        if let Some(waiting) = name.running.take() {
            waiting.send_replace(Some(answer));
        }
    }
}

impl Name {
    fn fails(&mut self, host: &str, why: &str) {
        let Some((known, at)) = &self.known else {
            return;
        };
        if !std::mem::replace(&mut self.failing, true) {
            let (addresses, age_s) = (known.len(), at.elapsed().as_secs());
            warn!(
                host,
                why, addresses, age_s, "DNS fails; the addresses of before are used"
            );
        }
    }
}

impl LookupFault {
    fn of(why: &str, local: bool) -> Self {
        let why = why.to_owned();
        Self { why, local }
    }

    fn local(why: &str) -> Self {
        Self::of(why, true)
    }
}

/// True when the system refused this process a resource (descriptors, memory, local ports): the
/// peer has no part in it.
pub(super) fn is_local(fault: &io::Error) -> bool {
    // ENOMEM, ENFILE, EMFILE, EADDRNOTAVAIL, ENOBUFS: on Linux, and on the BSDs and macOS.
    const CODES: &[i32] = if cfg!(target_os = "linux") {
        &[12, 23, 24, 99, 105]
    } else {
        &[12, 23, 24, 49, 55]
    };
    fault
        .raw_os_error()
        .is_some_and(|code| CODES.contains(&code))
}

/// True when not even one descriptor is left.
fn exhausted() -> bool {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None);
    socket.is_err_and(|why| is_local(&why))
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
