use std::io::Write as _;

use super::*;
use crate::memory::{FACTOR, SMALL};

const LIMIT: usize = 1 << 20;

/// A length-prefixed message.
fn message(compressed: bool, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[u8::from(compressed)], length.as_slice(), body].concat()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// A body in frames of this size.
fn frames(bytes: &[u8], size: usize) -> Body {
    let frames: Vec<_> = bytes
        .chunks(size)
        .map(|frame| Ok::<_, Status>(Frame::data(Bytes::copy_from_slice(frame))))
        .collect();
    Body::new(http_body_util::StreamBody::new(tokio_stream::iter(frames)))
}

async fn read(
    body: Body,
    memory: &Memory,
    max_size: usize,
) -> Result<(BufferedBody, Held), Status> {
    let mut held = Held::default();
    let accepted = Accepted {
        max_size,
        gzip: true,
    };
    let intake = BufferedBody::read(body, memory, &mut held, accepted).await?;
    Ok((intake, held))
}

async fn rest(intake: BufferedBody) -> Vec<u8> {
    intake.collect().await.unwrap().to_bytes().to_vec()
}

fn reason(status: &Status) -> String {
    let details = tonic_types::StatusExt::get_error_details(status);
    assert!(details.retry_info().is_some() && details.quota_failure().is_some());
    let info = details.error_info().unwrap();
    assert_eq!(info.metadata["execution"], "not_started");
    info.reason.clone()
}

#[tokio::test]
async fn every_byte_passes_however_it_is_cut_into_frames() {
    let memory = Memory::new(LIMIT);
    for body in [vec![], vec![7; 3], vec![7; SMALL], vec![7; 100_000]] {
        let sent = message(false, &body);
        for size in [1, 2, 4, 5, 6, 1000, sent.len()] {
            let (intake, held) = read(frames(&sent, size), &memory, LIMIT).await.unwrap();
            assert_eq!(
                held.counts(),
                body.len() > SMALL,
                "{} bytes by {size}",
                body.len()
            );
            assert_eq!(rest(intake).await, sent);
            drop(held);
            assert_eq!(memory.stats().used, 0);
        }
    }
}

#[tokio::test]
async fn a_large_message_takes_four_times_its_size_before_more_than_its_first_bytes_is_read() {
    let memory = Memory::new(LIMIT);
    let sent = message(false, &[0; 50_000]);
    // Nothing but the length has come yet, and it may take a while.
    let stalled = tokio_stream::iter([Ok::<_, Status>(Frame::data(Bytes::copy_from_slice(
        &sent[..5],
    )))]);
    let stalled = futures_util::StreamExt::chain(stalled, futures_util::stream::pending());
    let body = Body::new(http_body_util::StreamBody::new(stalled));
    let (_intake, held) = read(body, &memory, LIMIT).await.unwrap();
    assert_eq!(memory.stats().used, 50_000 * FACTOR);
    drop(held);
    assert_eq!(memory.stats().used, 0);
}

#[tokio::test]
async fn a_message_without_room_is_refused_with_details_and_small_ones_pass() {
    let memory = Memory::new(300_000);
    let sent = message(false, &[0; 50_000]);
    let (_intake, _held) = read(frames(&sent, 100), &memory, LIMIT).await.unwrap();
    let status = read(frames(&sent, 100), &memory, LIMIT)
        .await
        .err()
        .unwrap();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::ResourceExhausted, "MEMORY_LIMIT")
    );
    let small = frames(&message(false, &[0; 100]), 100);
    assert!(read(small, &memory, LIMIT).await.is_ok());
}

#[tokio::test]
async fn a_compressed_message_takes_what_it_unpacks_to_as_well() {
    let memory = Memory::new(LIMIT);
    let packed = gzip(&[b'x'; 200_000]);
    assert!(packed.len() < 1000, "not a good example");
    let sent = message(true, &packed);
    for size in [1, 3, 1000] {
        let (intake, held) = read(frames(&sent, size), &memory, LIMIT).await.unwrap();
        assert_eq!(memory.stats().used, (200_000 + packed.len()) * FACTOR);
        assert_eq!(rest(intake).await, message(false, &[b'x'; 200_000]));
        drop(held);
    }
    let bomb = message(true, &gzip(&vec![0; LIMIT / 2]));
    let status = read(frames(&bomb, 1000), &memory, LIMIT)
        .await
        .err()
        .unwrap();
    assert_eq!(reason(&status), "MEMORY_LIMIT");
    assert_eq!(memory.stats().used, 0);
}

#[tokio::test]
async fn a_packed_message_that_does_not_come_whole_takes_nothing_beside_its_size() {
    let memory = Memory::new(LIMIT);
    let sent = message(true, &gzip(&vec![0; LIMIT]));
    let half = Frame::data(Bytes::copy_from_slice(&sent[..sent.len() / 2]));
    let stalled = tokio_stream::iter([Ok::<_, Status>(half)]);
    let stalled = futures_util::StreamExt::chain(stalled, futures_util::stream::pending());
    let body = Body::new(http_body_util::StreamBody::new(stalled));
    let reading = read(body, &memory, LIMIT);
    let patience = std::time::Duration::from_millis(50);
    assert!(tokio::time::timeout(patience, reading).await.is_err());
    assert_eq!((memory.stats().used, memory.stats().refused), (0, 0));
}

#[tokio::test]
async fn others_have_their_turn_while_a_message_is_unpacked() {
    let memory = Memory::new(16 * LIMIT);
    let sent = message(true, &gzip(&vec![0; LIMIT]));
    let turns = async {
        let mut turns = 0;
        while memory.stats().used < 3 * LIMIT {
            turns += 1;
            tokio::task::yield_now().await;
        }
        turns
    };
    let (done, turns) = tokio::join!(read(frames(&sent, sent.len()), &memory, LIMIT), turns);
    assert!(done.is_ok() && turns > 4, "{turns}");
}

#[tokio::test]
async fn what_the_library_refuses_by_itself_is_left_to_it() {
    let memory = Memory::new(LIMIT);
    let large = message(false, &[0; 70_000]);
    let (intake, _held) = read(frames(&large, 1000), &memory, 65_536).await.unwrap();
    assert_eq!(rest(intake).await, large);
    // What is no whole message breaks off, whoever reads it.
    for sent in [vec![], vec![0, 0]] {
        let (intake, _held) = read(frames(&sent, 1000), &memory, 65_536).await.unwrap();
        assert!(intake.collect().await.is_err(), "{sent:?}");
    }
    assert_eq!(memory.stats().refused, 0);
    // A connection that breaks within the first bytes.
    let broken = tokio_stream::iter([
        Ok(Frame::data(Bytes::from_static(&[0, 0]))),
        Err(Status::cancelled("gone")),
    ]);
    let body = Body::new(http_body_util::StreamBody::new(broken));
    let (intake, _held) = read(body, &memory, LIMIT).await.unwrap();
    assert_eq!(
        intake.collect().await.err().unwrap().code(),
        Code::Cancelled
    );
}

#[tokio::test]
async fn what_is_no_whole_gzip_message_is_refused_for_good() {
    let memory = Memory::new(LIMIT);
    let packed = gzip(&[b'x'; 5000]);
    let mut lies = packed.clone();
    let size = lies.len() - 4;
    lies[size] ^= 1;
    let mut wrong_sum = packed.clone();
    wrong_sum[size - 1] ^= 1;
    for (bad, why) in [
        (b"hello".to_vec(), "garbage"),
        (vec![], "nothing"),
        (packed[..packed.len() - 6].to_vec(), "cut short"),
        ([packed.as_slice(), &[0; 4]].concat(), "zeros behind it"),
        ([packed.as_slice(), &packed].concat(), "two of them"),
        (lies, "a wrong size"),
        (wrong_sum, "a wrong sum"),
    ] {
        for size in [1, 7, 100_000] {
            let sent = message(true, &bad);
            let status = read(frames(&sent, size), &memory, LIMIT)
                .await
                .err()
                .unwrap();
            let pushback = status.metadata().get("grpc-retry-pushback-ms").unwrap();
            assert_eq!(
                (status.code(), pushback.to_str().unwrap()),
                (Code::Internal, "-1"),
                "{why}"
            );
        }
    }
    // A body that ends within its message.
    let cut = &message(true, &packed)[..20];
    let (intake, held) = read(frames(cut, 7), &memory, LIMIT).await.unwrap();
    assert_eq!(intake.collect().await.err().unwrap().code(), Code::Internal);
    drop(held);
    // Packed without saying so.
    let (mut held, accepted) = (
        Held::default(),
        Accepted {
            max_size: LIMIT,
            gzip: false,
        },
    );
    let body = frames(&message(true, &packed), 100);
    let status = BufferedBody::read(body, &memory, &mut held, accepted)
        .await
        .err()
        .unwrap();
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(memory.stats().used, 0);
}

#[tokio::test]
async fn unpacking_stops_at_the_largest_size_and_counts_what_came_out_whatever_the_message_says() {
    let memory = Memory::new(100 << 20);
    let mut bomb = gzip(&vec![0; 10 << 20]);
    let size = bomb.len() - 4;
    bomb[size..].fill(0);
    let sent = message(true, &bomb);
    let mut held = Held::default();
    let accepted = Accepted {
        max_size: LIMIT,
        gzip: true,
    };
    let status = BufferedBody::read(frames(&sent, 1000), &memory, &mut held, accepted)
        .await
        .err()
        .unwrap();
    let details = tonic_types::StatusExt::get_error_details(&status);
    assert_eq!(details.error_info().unwrap().reason, "MESSAGE_TOO_LARGE");
    assert!(memory.stats().used <= (LIMIT + bomb.len()) * FACTOR);
    let small = Memory::new(LIMIT);
    let status = read(frames(&sent, 1000), &small, 64 << 20)
        .await
        .err()
        .unwrap();
    assert_eq!(reason(&status), "MEMORY_LIMIT");
    assert_eq!(small.stats().used, 0);
}

#[tokio::test]
async fn what_follows_a_packed_message_breaks_the_call_off() {
    let memory = Memory::new(LIMIT);
    let sent = [message(true, &gzip(b"first")), message(false, b"second")].concat();
    for size in [1, 11, 1000] {
        let whole = match read(frames(&sent, size), &memory, LIMIT).await {
            Ok((intake, _held)) => intake.collect().await.map(drop),
            Err(refused) => Err(refused),
        };
        assert!(whole.is_err(), "in frames of {size}");
    }
}
