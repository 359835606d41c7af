//! What happens on one connection: requests are read, faults come in, executions are written into
//! the books at the very point where they happen.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::answers::{Cloud, Http};
use crate::fault::{End, Fault, Idle, Said};
use crate::ledger::Step;
use crate::lists;
use crate::upstream::Shared;
use crate::wire::{Head, Wire, number_after, parameter};

/// Serves requests until the connection ends.
pub async fn serve(stream: TcpStream, shared: &Shared) {
    let mut orders = shared.orders.subscribe();
    let mut wire = Wire::new(stream);
    if let Some(Fault::OnAccept(end)) = shared.on_accept() {
        return wire.end(end).await;
    }
    loop {
        tokio::select! {
            biased;
            ordered = orders.changed() => {
                if ordered.is_err() {
                    return;
                }
                let order = *orders.borrow_and_update();
                return while_idle(wire, order).await;
            }
            arrived = wire.arrived() => {
                if !arrived {
                    return;
                }
            }
        }
        let fault = shared.on_request();
        match request(wire, fault, shared).await {
            Some(back) => wire = back,
            None => return,
        }
        // Orders are for connections that idle when they are given.
        orders.mark_unchanged();
    }
}

async fn while_idle(mut wire: Wire, order: Idle) {
    match order {
        Idle::Ended(end) => wire.end(end).await,
        Idle::Timeout408 => {
            let said =
                b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            wire.write(said).await;
        }
        Idle::Garbage => {
            wire.write(b"\x15\x03\x01\x00\x02\x02\x46").await;
            wire.end(End::Stall).await;
        }
        Idle::Answer => {
            // Of a call that never was: whoever takes it for an answer tells its caller a lie.
            let stale = Cloud::Ncp.good(Step::Run, u64::MAX).bytes();
            wire.write(&stale).await;
            wire.end(End::Stall).await;
        }
    }
}

/// One request under one fault. Gives the connection back if it goes on.
async fn request(mut wire: Wire, fault: Fault, shared: &Shared) -> Option<Wire> {
    match fault {
        Fault::OnArrival(end) | Fault::OnAccept(end) => return over(wire, end).await,
        Fault::InHead(bytes, end) => {
            wire.fill(bytes.into()).await;
            return over(wire, end).await;
        }
        _ => {}
    }
    let head = wire.head().await?;
    let Asked { call, step, form } = asked(&head, shared);
    match fault {
        Fault::InBody(bytes, end) if head.length > 0 => {
            let some = usize::try_from(bytes).unwrap() % head.length;
            wire.fill(head.size + some).await;
            return over(wire, end).await;
        }
        Fault::EarlyRefusal => {
            let answer = shared
                .cloud
                .said(Said::Unavailable)
                .header("Connection", "close");
            wire.write(&answer.bytes()).await;
            return over(wire, End::Close).await;
        }
        _ => {}
    }
    let body = wire.body(&head).await?;
    check(call, step, &body, shared);
    shared.ledger.read(call, step, head.of);
    match fault {
        Fault::BeforeExecution(end) | Fault::InBody(_, end) => return over(wire, end).await,
        Fault::Answers(said, executed) => {
            if executed {
                carry_out(shared, call, step, head.of);
            }
            return wire
                .write(&shared.cloud.said(said).bytes())
                .await
                .then_some(wire);
        }
        Fault::RefusalCut => {
            let answer = shared.cloud.said(Said::RefusedInGood).bytes();
            wire.write(&answer[..answer.len() - 1]).await;
            return over(wire, End::Close).await;
        }
        Fault::CarriedOutLate(millis) => sleep(Duration::from_millis(millis.into())).await,
        _ => {}
    }
    let answer = if step == Step::Delete && shared.ledger.has_executed(call, step) {
        shared.cloud.gone()
    } else {
        carry_out(shared, call, step, head.of);
        match (fault, step) {
            (_, Step::List) => lists::page(shared.cloud, &head.target, call),
            (Fault::OfAnother, Step::Read | Step::Look) => shared.cloud.good(form, call + 1),
            (Fault::Under(status), Step::Run | Step::RunAsync) => Http {
                status,
                ..shared.cloud.good(form, call)
            },
            _ => shared.cloud.good(form, call),
        }
    };
    respond(wire, fault, &answer).await
}

fn carry_out(shared: &Shared, call: u64, step: Step, of: Option<usize>) {
    match step {
        Step::Create => {
            shared.ledger.execute(call, Step::Put, of);
            shared.ledger.execute(call, Step::PutCode, of);
        }
        step => shared.ledger.execute(call, step, of),
    }
}

async fn over(wire: Wire, end: End) -> Option<Wire> {
    wire.end(end).await;
    None
}

/// The good answer, as far as the fault lets it come.
async fn respond(mut wire: Wire, fault: Fault, answer: &Http) -> Option<Wire> {
    let whole = answer.bytes();
    let head = whole.len() - answer.body.len();
    let goes_on = match fault {
        Fault::AfterExecution(end) => return over(wire, end).await,
        Fault::CarriedOutLate(_) => return over(wire, End::Close).await,
        Fault::InAnswerHead(bytes, end) => {
            // At least one byte, and at least one missing.
            let some = 1 + usize::from(bytes) % (head - 1);
            wire.write(&whole[..some]).await;
            return over(wire, end).await;
        }
        Fault::InAnswerBody(bytes, end) => {
            let some = usize::from(bytes) % answer.body.len().max(1);
            wire.write(&whole[..head + some]).await;
            return over(wire, end).await;
        }
        Fault::LengthTooLong(end) => {
            let head = answer.head(Some(answer.body.len() + 7));
            wire.write(&[head.as_bytes(), answer.body.as_bytes()].concat())
                .await;
            return over(wire, end).await;
        }
        Fault::LengthTooShort => {
            let head = answer.head(Some(answer.body.len() / 2));
            wire.write(&[head.as_bytes(), answer.body.as_bytes()].concat())
                .await
        }
        Fault::NoContentWithBody => {
            let empty = Http {
                status: 204,
                ..answer.clone()
            };
            let head = empty.head(Some(answer.body.len()));
            wire.write(&[head.as_bytes(), answer.body.as_bytes()].concat())
                .await
        }
        Fault::LengthTwice(equal) => {
            let second = answer.body.len() + usize::from(!equal);
            let doubled = answer.clone().header("Content-Length", second.to_string());
            wire.write(&doubled.bytes()).await
        }
        Fault::HeadersTwice => {
            let mut doubled = answer.clone();
            doubled.headers.extend(answer.headers.clone());
            wire.write(&doubled.bytes()).await
        }
        Fault::Chunked | Fault::ChunkGarbage | Fault::ChunksCut(_) => {
            return chunked(wire, fault, answer).await;
        }
        Fault::Interim(count) => {
            for status in ["100 Continue", "102 Processing", "103 Early Hints"]
                .iter()
                .take(count.into())
            {
                wire.write(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes())
                    .await;
            }
            wire.write(&whole).await
        }
        Fault::BadText => {
            let (before, after) = [r#""log":""#, r#""logs":[""#]
                .iter()
                .find_map(|mark| {
                    answer
                        .body
                        .split_once(mark)
                        .map(|(before, after)| (before.to_owned() + mark, after))
                })
                .unwrap_or_else(|| (answer.body.clone(), ""));
            let body = match after {
                "" => before.into_bytes(),
                after => [before.as_bytes(), b"\xff", after.as_bytes()].concat(),
            };
            let length = (answer.status != 204).then_some(body.len());
            wire.write(&[answer.head(length).as_bytes(), &body].concat())
                .await
        }
        Fault::Drip(millis) => {
            wire.drip(&whole, Duration::from_millis(millis.into()))
                .await
        }
        Fault::SaysClose => {
            let last = answer.clone().header("Connection", "close");
            wire.write(&last.bytes()).await;
            return over(wire, End::Close).await;
        }
        Fault::EndsAfterAnswer(end) => {
            wire.write(&whole).await;
            return over(wire, end).await;
        }
        _ => wire.write(&whole).await,
    };
    goes_on.then_some(wire)
}

async fn chunked(mut wire: Wire, fault: Fault, answer: &Http) -> Option<Wire> {
    let chunked = answer.clone().header("Transfer-Encoding", "chunked");
    let (first, second) = answer.body.split_at(answer.body.len() / 2);
    let chunk = |text: &str| {
        if text.is_empty() {
            String::new()
        } else {
            format!("{:x}\r\n{text}\r\n", text.len())
        }
    };
    let mut text = format!("{}{}", chunked.head(None), chunk(first));
    match fault {
        Fault::ChunkGarbage => text.push_str("no length\r\nno data\r\n"),
        Fault::ChunksCut(end) => {
            wire.write(text.as_bytes()).await;
            return over(wire, end).await;
        }
        _ => text.push_str(&format!("{}0\r\n\r\n", chunk(second))),
    }
    wire.write(text.as_bytes()).await.then_some(wire)
}

/// What a request says of itself.
struct Asked {
    call: u64,
    step: Step,
    /// The step whose answer is due.
    form: Step,
}

fn asked(head: &Head, shared: &Shared) -> Asked {
    let path = head.target.split('?').next().unwrap_or_default();
    // A function that is to be made is named in the body alone; the lane knows whose turn it is.
    let call = number_after(&head.target, "call-").unwrap_or_else(|| shared.call());
    let step = match (shared.cloud, head.method.as_str()) {
        (Cloud::Ncp, "POST") => Step::Run,
        (_, "GET") if path.ends_with("/config") => Step::Look,
        (_, "GET") if is_list(&head.target, path) => Step::List,
        (_, "GET") => Step::Read,
        (Cloud::FunctionGraph, "PUT") if path.ends_with("/code") => Step::PutCode,
        (_, "PUT") => Step::Put,
        (_, "DELETE") => Step::Delete,
        (_, "POST") if path.ends_with("/invocations-async") => Step::RunAsync,
        (_, "POST") if path.ends_with("/invocations") => Step::Run,
        (_, "POST") if path.ends_with("/functions") => Step::Create,
        _ => panic!("unexpected request {} {}", head.method, head.target),
    };
    // NCP has one request for both: whoever waits for nothing is answered an id.
    let form = match step {
        Step::Run if head.target.ends_with("timeout=0") => Step::RunAsync,
        step => step,
    };
    Asked { call, step, form }
}

fn is_list(target: &str, path: &str) -> bool {
    let of_one = number_after(target, &parameter("request_id")).is_some();
    let lists = [
        "/actions",
        "/activations",
        "/functions",
        "/async-invocations",
    ];
    lists.iter().any(|list| path.ends_with(list)) && !of_one
}

/// A run's body must be the one that belongs to its call: bodies that were mixed up would be worse
/// than any fault.
fn check(call: u64, step: Step, body: &[u8], shared: &Shared) {
    if matches!(step, Step::Run | Step::RunAsync) {
        let text = String::from_utf8_lossy(body);
        let named = number_after(&text, "\"id\":");
        if named != Some(call) || !text.ends_with('}') {
            shared.ledger.broken(format!(
                "the body of call {call} is that of {named:?}, {} bytes",
                body.len()
            ));
        }
    }
}
