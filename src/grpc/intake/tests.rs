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

async fn rest(intake: Intake) -> Vec<u8> {
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
            let (intake, held) = Intake::read(frames(&sent, size), &memory, LIMIT).await.unwrap();
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
    let stalled = tokio_stream::iter([Ok::<_, Status>(Frame::data(Bytes::copy_from_slice(&sent[..5])))]);
    let stalled = futures_util::StreamExt::chain(stalled, futures_util::stream::pending());
    let body = Body::new(http_body_util::StreamBody::new(stalled));
    let (_intake, held) = Intake::read(body, &memory, LIMIT).await.unwrap();
    assert_eq!(memory.stats().used, 50_000 * FACTOR);
    drop(held);
    assert_eq!(memory.stats().used, 0);
}

#[tokio::test]
async fn a_message_without_room_is_refused_with_details_and_small_ones_pass() {
    let memory = Memory::new(300_000);
    let sent = message(false, &[0; 50_000]);
    let (_intake, _held) = Intake::read(frames(&sent, 100), &memory, LIMIT).await.unwrap();
    let status = Intake::read(frames(&sent, 100), &memory, LIMIT)
        .await
        .err()
        .unwrap();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (tonic::Code::ResourceExhausted, "MEMORY_LIMIT")
    );
    let small = frames(&message(false, &[0; 100]), 100);
    assert!(Intake::read(small, &memory, LIMIT).await.is_ok());
}

#[tokio::test]
async fn a_compressed_message_takes_what_it_unpacks_to_as_well() {
    let memory = Memory::new(LIMIT);
    let packed = gzip(&[b'x'; 200_000]);
    assert!(packed.len() < 1000, "not a good example");
    let sent = message(true, &packed);
    for size in [1, 3, 1000] {
        let (intake, held) = Intake::read(frames(&sent, size), &memory, LIMIT).await.unwrap();
        assert_eq!(memory.stats().used, (200_000 + packed.len()) * FACTOR);
        assert_eq!(rest(intake).await, sent);
        drop(held);
    }
    let bomb = message(true, &gzip(&vec![0; LIMIT / 2]));
    let status = Intake::read(frames(&bomb, 1000), &memory, LIMIT)
        .await
        .err()
        .unwrap();
    assert_eq!(reason(&status), "MEMORY_LIMIT");
    assert_eq!(memory.stats().used, 0);
}

#[tokio::test]
async fn what_the_library_refuses_by_itself_is_left_to_it() {
    let memory = Memory::new(LIMIT);
    let large = message(false, &[0; 70_000]);
    let (intake, _held) = Intake::read(frames(&large, 1000), &memory, 65_536).await.unwrap();
    assert_eq!(rest(intake).await, large);
    // What is no whole message breaks off, whoever reads it.
    for sent in [vec![], vec![0, 0], message(true, &[0; 20])[..10].to_vec()] {
        let (intake, _held) = Intake::read(frames(&sent, 1000), &memory, 65_536).await.unwrap();
        assert!(intake.collect().await.is_err(), "{sent:?}");
    }
    assert_eq!(memory.stats().refused, 0);
    // A connection that breaks within the first bytes.
    let broken = tokio_stream::iter([
        Ok(Frame::data(Bytes::from_static(&[0, 0]))),
        Err(Status::cancelled("gone")),
    ]);
    let body = Body::new(http_body_util::StreamBody::new(broken));
    let (intake, _held) = Intake::read(body, &memory, LIMIT).await.unwrap();
    assert_eq!(
        intake.collect().await.err().unwrap().code(),
        tonic::Code::Cancelled
    );
}
