use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::*;

const KIB: usize = 1 << 10;

#[test]
fn a_small_body_costs_nothing_and_a_large_one_four_times_its_size() {
    let memory = Memory::new(1 << 20);
    let mut held = Held::default();
    held.try_grow(&memory, SMALL).unwrap();
    assert_eq!((held.counts(), memory.stats().used), (false, 0));
    held.try_grow(&memory, 1).unwrap();
    assert_eq!(memory.stats().used, FACTOR * (SMALL + 1));
    held.try_grow(&memory, 10 * KIB).unwrap();
    assert_eq!(memory.stats().used, FACTOR * (SMALL + 1 + 10 * KIB));
    drop(held);
    assert_eq!(memory.stats().used, 0);
}

#[test]
fn a_call_counts_as_it_is_and_what_is_held_already_whatever_the_bound() {
    let memory = Memory::new(100);
    let mut call = Held::default();
    call.take(&memory, 90).unwrap();
    assert!(Held::default().take(&memory, 20).is_err());
    let mut sent = Held::default();
    sent.add(&memory, 1000);
    assert_eq!((memory.stats().used, memory.stats().refused), (1090, 1));
    drop((call, sent));
    assert_eq!(memory.stats().used, 0);
}

#[test]
fn one_alone_has_the_limit_and_many_others_find_room_beside_it() {
    let memory = Memory::new(24 << 20);
    let peer = |local| memory.shared(&Share::default(), local);
    let fill = |peer: &Memory| {
        let before = memory.stats().used;
        let mut held = Held::default();
        while held.take(peer, CALL).is_ok() {}
        (memory.stats().used - before, held)
    };
    let (alone, mut held) = (peer(false), Vec::new());
    let (took, all) = fill(&alone);
    assert!((24 << 20..25 << 20).contains(&took), "{took}");
    held.push(all);
    // Each of them has less than the one before, and leaves some for whoever comes next.
    let mut before = usize::MAX;
    for _ in 0..8 {
        let (took, all) = fill(&peer(false));
        assert!((4 * CALL..=before).contains(&took), "{took}");
        before = took;
        held.push(all);
    }
    // However many they are, callers of the machine itself find room.
    held.extend((0..1000).map(|_| fill(&peer(false)).1));
    assert!(Held::default().take(&alone, KIB).is_err());
    assert!(fill(&peer(true)).0 >= 4 * CALL);
    drop(held);
    assert_eq!(memory.stats().used, 0);
    // A message of the largest size, with its call.
    let mut call = Held::default();
    call.take(&alone, 2 * CALL).unwrap();
    call.try_grow(&alone, 6 << 20).unwrap();
}

#[test]
fn connections_of_one_peer_have_one_share() {
    let memory = Memory::new(1 << 20);
    let share = Share::default();
    let connections = [memory.shared(&share, false), memory.shared(&share, false)];
    let mut held = Held::default();
    held.take(&connections[0], (1 << 20) + 8 * KIB).unwrap();
    assert!(Held::default().take(&connections[1], 10 * KIB).is_err());
    let other = memory.shared(&Share::default(), false);
    assert!(Held::default().take(&other, 10 * KIB).is_ok());
}

#[test]
fn json_weighs_what_it_becomes_as_a_value() {
    for (json, least) in [
        ("[1,1,1,1]", 9 + 4 * 6),
        ("{\"a\":[]}", 8 + 6),
        ("\"text\"", 6),
    ] {
        assert!(weight(json.as_bytes()) >= least, "{json}");
    }
    assert_eq!(weight(b"\"no separator\""), 14);
}

#[test]
fn a_request_without_room_is_refused_and_takes_nothing() {
    let memory = Memory::new(100 * KIB);
    let mut first = Held::default();
    first.try_grow(&memory, 20 * KIB).unwrap();
    let mut second = Held::default();
    let refusal = second.try_grow(&memory, 6 * KIB + SMALL).unwrap_err();
    assert_eq!(
        refusal,
        NoRoom {
            wanted: FACTOR * 14 * KIB,
            limit: 100 * KIB
        }
    );
    assert_eq!(memory.stats().used, 80 * KIB);
    assert!(Held::default().try_grow(&memory, usize::MAX).is_err());
    drop(first);
    second.try_grow(&memory, 6 * KIB + SMALL).unwrap();
    assert_eq!(memory.stats().refused, 2);
}

#[tokio::test(start_paused = true)]
async fn answers_wait_and_one_at_a_time_overdraws_so_that_all_end() {
    let memory = Memory::new(100 * KIB);
    let mut request = Held::default();
    request.try_grow(&memory, 25 * KIB).unwrap();
    // Each is larger than the whole, and all come at once and grow by turns.
    let readers = (0..10).map(|_| {
        let memory = memory.clone();
        async move {
            let mut held = Held::default();
            for _ in 0..4 {
                held.grow(&memory, 10 * KIB).await;
                sleep(Duration::from_millis(1)).await;
                let used = memory.stats().used;
                assert!(used <= 100 * KIB + FACTOR * 40 * KIB, "{used}");
            }
        }
    });
    timeout(
        Duration::from_secs(10),
        futures_util::future::join_all(readers),
    )
    .await
    .expect("a deadlock");
    drop(request);
    let stats = memory.stats();
    assert_eq!((stats.used, stats.waiting), (0, 0));
    assert!(stats.waited >= 9);
}

#[tokio::test(start_paused = true)]
async fn an_answer_whose_caller_goes_away_leaves_no_trace() {
    let memory = Memory::new(40 * KIB);
    let mut first = Held::default();
    first.grow(&memory, 10 * KIB).await;
    let mut overdrawing = Held::default();
    overdrawing.grow(&memory, 20 * KIB).await;
    assert_eq!(memory.stats().used, FACTOR * 30 * KIB);
    let mut late = Held::default();
    assert!(
        timeout(Duration::from_millis(5), late.grow(&memory, 20 * KIB))
            .await
            .is_err()
    );
    assert_eq!(memory.stats().waiting, 0);
    drop(late);
    assert_eq!(memory.stats().used, FACTOR * 30 * KIB);
    // The overdraft is free again for the next.
    drop(overdrawing);
    timeout(
        Duration::from_millis(5),
        Held::default().grow(&memory, 20 * KIB),
    )
    .await
    .unwrap();
    drop(first);
    assert_eq!(memory.stats().used, 0);
}

#[tokio::test]
async fn many_threads_lose_nothing() {
    let memory = Memory::new(64 * KIB);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let memory = memory.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let calls = (0..50).map(|_| async {
                        for round in 1..20 {
                            let mut held = Held::default();
                            held.grow(&memory, round * KIB).await;
                            tokio::task::yield_now().await;
                            held.grow(&memory, round * KIB).await;
                        }
                    });
                    futures_util::future::join_all(calls).await;
                });
            })
        })
        .collect();
    for thread in threads {
        tokio::task::spawn_blocking(move || thread.join().unwrap())
            .await
            .unwrap();
    }
    assert_eq!((memory.stats().used, memory.stats().waiting), (0, 0));
}
