use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;

const HOST: &str = "up.test";
const PATIENCE: Duration = Duration::from_millis(50);

fn ip(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

/// A resolver that answers what the test says, one word a lookup, and counts lookups.
fn scripted() -> (
    Resolver,
    mpsc::Sender<io::Result<Vec<IpAddr>>>,
    Arc<AtomicUsize>,
) {
    let (says, script) = mpsc::channel();
    let (script, lookups) = (Mutex::new(script), Arc::<AtomicUsize>::default());
    let counted = Arc::clone(&lookups);
    let resolver = Resolver::with(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        script.lock().unwrap().recv().unwrap()
    });
    (resolver, says, lookups)
}

fn servfail() -> io::Result<Vec<IpAddr>> {
    Err(io::Error::other("Temporary failure in name resolution"))
}

#[tokio::test]
async fn calls_share_one_lookup() {
    let (resolver, says, lookups) = scripted();
    let calls = (0..50).map(|_| resolver.addresses(HOST, PATIENCE));
    let (found, ()) = tokio::join!(futures_util::future::join_all(calls), async {
        says.send(Ok(vec![ip(1)])).unwrap();
    });
    assert!(
        found
            .iter()
            .all(|found| **found.as_ref().unwrap() == [ip(1)])
    );
    assert_eq!(lookups.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn each_lookup_that_follows_is_new() {
    let (resolver, says, lookups) = scripted();
    for last in [1, 2] {
        says.send(Ok(vec![ip(last)])).unwrap();
        assert_eq!(
            *resolver.addresses(HOST, PATIENCE * 100).await.unwrap(),
            [ip(last)]
        );
    }
    assert_eq!(lookups.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_lookup_that_fails_leaves_the_addresses_of_before() {
    let (resolver, says, _) = scripted();
    says.send(servfail()).unwrap();
    let fault = resolver.addresses(HOST, PATIENCE * 100).await.unwrap_err();
    assert!(fault.why.contains("Temporary") && !fault.local, "{fault:?}");
    for word in [Ok(vec![ip(1)]), servfail(), Ok(Vec::new())] {
        says.send(word).unwrap();
        assert_eq!(
            *resolver.addresses(HOST, PATIENCE * 100).await.unwrap(),
            [ip(1)]
        );
    }
    // The lookup that succeeds in the end is taken up by those after it.
    says.send(Ok(vec![ip(2)])).unwrap();
    let fresh = async {
        while *resolver.addresses(HOST, PATIENCE).await.unwrap() != [ip(2)] {
            says.send(Ok(vec![ip(2)])).unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(10), fresh).await.unwrap();
}

#[tokio::test]
async fn a_resolver_that_is_silent_holds_up_one_call_and_one_thread() {
    let (resolver, says, lookups) = scripted();
    says.send(Ok(vec![ip(1)])).unwrap();
    resolver.addresses(HOST, PATIENCE * 100).await.unwrap();
    let began = Instant::now();
    for _ in 0..200 {
        assert_eq!(*resolver.addresses(HOST, PATIENCE).await.unwrap(), [ip(1)]);
    }
    assert!(began.elapsed() < PATIENCE * 100, "{:?}", began.elapsed());
    assert_eq!(lookups.load(Ordering::SeqCst), 2);
    assert_eq!(resolver.0.book().threads, 1);
    says.send(Ok(vec![ip(1)])).unwrap();
}

#[tokio::test]
async fn many_names_at_once_take_few_threads_and_all_are_answered() {
    let resolver = Resolver::with(|_| {
        std::thread::sleep(Duration::from_millis(5));
        Ok(vec![ip(1)])
    });
    let names: Vec<_> = (0..20).map(|number| format!("n{number}.test")).collect();
    let calls = names.iter().map(|name| resolver.addresses(name, PATIENCE));
    let found = futures_util::future::join_all(calls);
    let (found, threads) = tokio::join!(found, async { resolver.0.book().threads });
    assert!(found.iter().all(Result::is_ok));
    assert!((1..=MAX_THREADS).contains(&threads), "{threads}");
}

#[tokio::test(start_paused = true)]
async fn addresses_that_did_not_answer_are_tried_last_for_a_while() {
    let resolver = Resolver::default();
    let six: IpAddr = "2001:db8::1".parse().unwrap();
    let order = |resolver: &Resolver| {
        let order = resolver.in_order(&[six, ip(1), ip(2)], 443);
        order.iter().map(SocketAddr::ip).collect::<Vec<_>>()
    };
    assert_eq!(order(&resolver), [six, ip(1), ip(2)]);
    resolver.unanswered(SocketAddr::new(six, 443));
    resolver.unanswered(SocketAddr::new(ip(1), 443));
    assert_eq!(order(&resolver), [ip(2), six, ip(1)]);
    resolver.answered(SocketAddr::new(ip(1), 443));
    assert_eq!(order(&resolver), [ip(1), ip(2), six]);
    tokio::time::advance(UNANSWERED + Duration::from_secs(1)).await;
    assert_eq!(order(&resolver), [six, ip(1), ip(2)]);
}

#[test]
fn what_the_system_refuses_this_process_is_told_from_what_a_peer_does() {
    assert!(is_local(&io::Error::from_raw_os_error(24)));
    for kind in [io::ErrorKind::ConnectionRefused, io::ErrorKind::TimedOut] {
        assert!(!is_local(&io::Error::from(kind)));
    }
    // ECONNREFUSED, EHOSTUNREACH.
    assert!(
        ![111, 113]
            .iter()
            .any(|code| is_local(&io::Error::from_raw_os_error(*code)))
    );
}
