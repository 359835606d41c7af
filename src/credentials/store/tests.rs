use super::*;

const KEEP: Duration = Duration::from_secs(600);

fn pair(number: u32) -> KeyPair {
    KeyPair::checked(&format!("id-{number}"), &format!("secret-{number}"), None).unwrap()
}

/// A store whose first pair the cloud has taken.
fn proven() -> Store {
    let store = Store::new("test".to_owned(), KEEP, "not yet".to_owned());
    store.promote(pair(1), None, false);
    store.accepted(1);
    store
}

fn id(snapshot: &Snapshot) -> &str {
    &snapshot.keys.as_ref().unwrap().access_key
}

#[tokio::test(start_paused = true)]
async fn the_key_before_stays_until_the_new_one_has_proven_itself_for_a_while() {
    let store = proven();
    store.promote(pair(2), None, false);
    // However long that takes: an idle sidecar must not lose its way back.
    tokio::time::advance(KEEP * 10).await;
    assert_eq!(id(&store.alternative(2).unwrap()), "id-1");
    store.accepted(2);
    assert!(store.status().previous_kept);
    tokio::time::advance(KEEP).await;
    assert!(store.alternative(2).is_none());
    store.prune();
    assert!(
        !store.status().previous_kept,
        "the old secret is not kept for longer than needed"
    );
}

#[test]
fn a_key_that_never_proved_itself_does_not_push_out_one_that_did() {
    let store = proven();
    store.promote(pair(2), None, false);
    store.promote(pair(3), None, false);
    assert_eq!(id(&store.alternative(3).unwrap()), "id-1");
    // A call that was signed with the second is better off with the one that is known to be good.
    assert_eq!(id(&store.alternative(2).unwrap()), "id-1");
    store.accepted(3);
    assert_eq!(id(&store.alternative(2).unwrap()), "id-3");
}

#[test]
fn a_refused_key_gives_way_to_the_one_before_and_is_handed_to_the_keeper_once() {
    let store = proven();
    store.promote(pair(2), None, false);
    assert!(store.fall_back(2, 1));
    assert_eq!(
        (store.present().generation, store.status().generation),
        (1, 1)
    );
    assert_eq!(
        store.status().last_refresh.unwrap().outcome,
        Outcome::FellBack
    );
    assert_eq!(id(&store.take_suspect().unwrap()), "id-2");
    assert!(store.take_suspect().is_none());
    // Other calls that saw the same find it done, and are never sent to the refused key.
    assert!(!store.fall_back(2, 1));
    assert_eq!(id(&store.alternative(2).unwrap()), "id-1");
    assert!(store.alternative(1).is_none());
}

#[tokio::test(start_paused = true)]
async fn keys_at_their_end_sign_nothing() {
    let store = Store::new("test".to_owned(), KEEP, "not yet".to_owned());
    assert_eq!(
        store.missing().message,
        "The sidecar has no credentials for this target: not yet"
    );
    store.promote(pair(1), Some(Duration::from_secs(60)), true);
    assert!(store.usable());
    tokio::time::advance(Duration::from_secs(59)).await;
    store.extend(Some(Duration::from_secs(30)));
    tokio::time::advance(Duration::from_secs(29)).await;
    assert!(store.usable());
    assert_eq!(store.status().expires_in, Some(Duration::from_secs(1)));
    assert_eq!(store.status().age, Some(Duration::from_secs(88)));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(!store.usable());
    assert!(
        store
            .status()
            .ready
            .unwrap_err()
            .contains("come to their end")
    );
    // They are no fall-back either.
    store.promote(pair(2), None, false);
    assert!(store.alternative(2).is_none());
}
