//! A gRPC client that keeps no time of its own, so that what it hears of a deadline is the server's
//! word.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpStream;
use tonic::Status;

/// Calls `path` with this `grpc-timeout`; the message comes after `slow` in full, or never when it
/// is longer than the call.
pub async fn call(
    address: SocketAddr,
    path: &str,
    timeout: &str,
    message: &impl Message,
    slow: Duration,
) -> Status {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.encoded_len().try_into().unwrap());
    message.encode(&mut frame).unwrap();
    let frame = frame.freeze();
    let body = futures_util::stream::once(async move {
        tokio::time::sleep(slow).await;
        Ok::<_, std::convert::Infallible>(Frame::data(frame))
    });
    let request = http::Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", timeout)
        .body(StreamBody::new(body).boxed_unsync())
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let (head, body) = answer.into_parts();
    if let Some(status) = Status::from_header_map(&head.headers) {
        return status;
    }
    let body: http_body_util::Collected<Bytes> = body.collect().await.unwrap();
    Status::from_header_map(body.trailers().unwrap()).unwrap()
}
