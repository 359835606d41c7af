//! One connection: read a request, let a fault strike, else let the service answer; again until it
//! closes.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wire::{self, ReadError};
use super::{Reply, Request, Shared};
use crate::faults::{Fault, Moment};

/// A caller that is refused before its body was read may still send for so long, so that it gets to
/// read why.
const LINGER: Duration = Duration::from_secs(1);

/// What is done with the connection instead of, or beside, a plain answer.
enum Act {
    Answer(Reply),
    Cut(Reply, usize),
    Reset,
    Silence,
}

pub(super) async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    // Small answers must not wait for acknowledgements.
    let _ = stream.set_nodelay(true);
    let Ok(own) = stream.local_addr() else { return };
    let admit = |request: &Request| shared.guard.check(request, own.ip().to_canonical());
    let mut buffer = BytesMut::new();
    loop {
        let incoming =
            match wire::read_request(&mut stream, &mut buffer, shared.max_body, &admit).await {
                Ok(incoming) => incoming,
                Err(ReadError::Gone) => return,
                Err(ReadError::Malformed(why)) => {
                    let reply = Reply::new(400, "text/plain", why);
                    let _ = wire::write_reply(&mut stream, &reply, false, false, None).await;
                    return;
                }
                Err(ReadError::Refused(why)) => {
                    let reply = Reply::new(403, "text/plain", why);
                    let _ = wire::write_reply(&mut stream, &reply, false, false, None).await;
                    let _ = stream.shutdown().await;
                    let _ = tokio::time::timeout(LINGER, hang(&mut stream)).await;
                    return;
                }
            };
        let request = incoming.request;
        let number = shared.recorder.received(&request, shared.clock.now_ms());
        let head_only = request.method == "HEAD";
        let (reply, cut) = match act(&shared, &request).await {
            Act::Answer(reply) => (reply, None),
            Act::Cut(reply, bytes) => (reply, Some(bytes)),
            Act::Reset => {
                // Dropping the stream with a linger time of zero sends RST instead of FIN.
                let _ = stream.set_zero_linger();
                return;
            }
            Act::Silence => return hang(&mut stream).await,
        };
        // By the emulated cloud's clock, which is not always the machine's (RFC 9110 §6.6.1).
        let date = shared
            .clock
            .now()
            .format("%a, %d %b %Y %H:%M:%S GMT")
            .to_string();
        let reply = reply.with_header("date", date);
        shared.recorder.answered(number, reply.status);
        let keep_alive = incoming.keep_alive && cut.is_none();
        // A cut answer must not announce its end: the caller has to find out from the missing
        // bytes.
        let announced = incoming.keep_alive;
        if wire::write_reply(&mut stream, &reply, head_only, announced, cut)
            .await
            .is_err()
        {
            return;
        }
        if !keep_alive {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

async fn act(shared: &Shared, request: &Request) -> Act {
    let decision = shared.faults.decide(&request.method, &request.target);
    if !decision.latency.is_zero() {
        tokio::time::sleep(decision.latency).await;
    }
    match decision.fault {
        // `decide` adds latencies up and never hands one out.
        None | Some(Fault::Latency(_)) => Act::Answer(answer(shared, request).await),
        Some(Fault::Answer {
            status,
            code,
            body,
            retry_after,
        }) => {
            let mut reply = shared.service.error(status, code.as_deref());
            if let Some(body) = body {
                reply.body = body.into();
            }
            if let Some(after) = retry_after {
                reply = reply.with_header("retry-after", after);
            }
            Act::Answer(reply)
        }
        Some(Fault::Html(status)) => Act::Answer(html(status)),
        Some(Fault::Redirect(to)) => Act::Answer(Reply::empty(302).with_header("location", to)),
        Some(Fault::Cut(bytes)) => Act::Cut(answer(shared, request).await, bytes),
        Some(Fault::Reset(moment)) => {
            after_work(shared, request, moment).await;
            Act::Reset
        }
        Some(Fault::Silence(moment)) => {
            after_work(shared, request, moment).await;
            Act::Silence
        }
    }
}

async fn after_work(shared: &Shared, request: &Request, moment: Moment) {
    if moment == Moment::After {
        answer(shared, request).await;
    }
}

async fn answer(shared: &Shared, request: &Request) -> Reply {
    if request.too_large {
        return shared.service.error(Some(413), None);
    }
    shared.service.answer(request).await
}

fn html(status: u16) -> Reply {
    let reason = wire::reason(status);
    let page = format!(
        "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n<center><h1>{status} {reason}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    Reply::new(status, "text/html", page)
}

/// Waits until the peer closes.
async fn hang(stream: &mut TcpStream) {
    let mut sink = [0; 1024];
    while matches!(stream.read(&mut sink).await, Ok(read) if read > 0) {}
}
