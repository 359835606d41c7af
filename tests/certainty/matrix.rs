//! The matrix "fault × operation × idempotent" → what the caller is told and what happened: every
//! cell driven through sockets on both clouds, and the table of `docs/certainty.md` compared with
//! the result.
//!
//! `UPDATE_DOCS=1 cargo test --test certainty matrix` writes the table anew.

use std::path::Path;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use tokio::time::sleep;

use crate::answers::Cloud;
use crate::call::{Try, perform};
use crate::fault::{End, Fault, Idle, Said};
use crate::ledger::Ledger;
use crate::lists::List;
use crate::plan::{Operation, Plan, Repeat};
use crate::sidecar::{Caller, start, target};
use crate::upstream::Lane;
use crate::verdict::judge;

mod table;

use table::{Cell, Row};

/// Cells that run at once.
const AT_ONCE: usize = 48;

/// Three attempts without long pauses; what stalls is ended by the deadline and not by an attempt's
/// own bound. Breaker and learnt rate may keep a later attempt from being sent, depending on the
/// time; the matrix is of what is repeated at all.
const SETTINGS: &str = "retry: {max_attempts: 3, initial_backoff: 1ms, max_backoff: 2ms, budget: {ratio: 1, min_per_second: 1000}}\n\
                        timeouts: {connect: 1s, attempt: 30s, request: 60s}\n\
                        breaker: {enabled: false}\n\
                        limits: {adaptive_rate: false}";

/// Deadlines of calls that can end by themselves, and of those that cannot.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(700);

/// What callers ask for: the operation, and whether it may be repeated.
const ASKED: [(&str, Operation, bool); 7] = [
    ("run", Operation::Invoke, false),
    ("async run", Operation::InvokeAsync, false),
    ("idempotent run", Operation::Invoke, true),
    ("read", Operation::GetActivation, true),
    ("list", Operation::List(List::SHORT), true),
    ("put", Operation::PutAction, true),
    ("delete", Operation::DeleteAction, true),
];

/// One line of the matrix: its words, the fault that every attempt meets, and how the call is set
/// up for it.
struct Case {
    name: &'static str,
    /// Each of them alone, with the same outcome.
    faults: Vec<Fault>,
    /// A good call before leaves an idle connection.
    warm: bool,
    /// A body that the sockets cannot hold; runs only.
    large: bool,
}

fn cases() -> Vec<Case> {
    use End::{Close, Reset, Stall};
    let case = |name, fault| Case {
        name,
        faults: vec![fault],
        warm: false,
        large: false,
    };
    let warm = |name, fault| Case {
        warm: true,
        ..case(name, fault)
    };
    let large = |name, fault| Case {
        large: true,
        ..case(name, fault)
    };
    let said = |name, said| case(name, Fault::Answers(said, false));
    let failed = |name, said| case(name, Fault::Answers(said, true));
    let bare = |name, executed, statuses: &[u16]| Case {
        faults: statuses
            .iter()
            .map(|status| Fault::Answers(Said::Bare(*status), executed))
            .collect(),
        ..case(name, Fault::None)
    };
    vec![
        case("none", Fault::None),
        case("connection refused", Fault::Refused(0)),
        case("connection unanswered (SYN dropped)", Fault::Unanswered(0)),
        case("accepted, then silence", Fault::OnAccept(Stall)),
        warm(
            "idle connection closed before the call",
            Fault::WhileIdle(Idle::Ended(Close), 0),
        ),
        warm(
            "idle connection reset before the call",
            Fault::WhileIdle(Idle::Ended(Reset), 0),
        ),
        warm(
            "408 on the idle connection before the call",
            Fault::WhileIdle(Idle::Timeout408, 0),
        ),
        warm(
            "garbage on the idle connection before the call",
            Fault::WhileIdle(Idle::Garbage, 0),
        ),
        warm(
            "another call's answer on the idle connection",
            Fault::WhileIdle(Idle::Answer, 0),
        ),
        warm(
            "kept connection closed as the request arrives",
            Fault::OnArrival(Close),
        ),
        warm(
            "kept connection reset as the request arrives",
            Fault::OnArrival(Reset),
        ),
        case("closed in the request's head", Fault::InHead(100, Close)),
        case("reset in the request's head", Fault::InHead(100, Reset)),
        case("stalled in the request's head", Fault::InHead(100, Stall)),
        case("reset in the request's body", Fault::InBody(10, Reset)),
        large("reset in a body of 200 KiB", Fault::InBody(30_000, Reset)),
        large("stalled in a body of 200 KiB", Fault::InBody(30_000, Stall)),
        case("closed before execution", Fault::BeforeExecution(Close)),
        case("reset before execution", Fault::BeforeExecution(Reset)),
        case("stalled before execution", Fault::BeforeExecution(Stall)),
        case("executed after the deadline", Fault::CarriedOutLate(900)),
        case("closed after execution", Fault::AfterExecution(Close)),
        case("reset after execution", Fault::AfterExecution(Reset)),
        case("stalled after execution", Fault::AfterExecution(Stall)),
        case("answer's head cut, closed", Fault::InAnswerHead(40, Close)),
        case("answer's head cut, reset", Fault::InAnswerHead(40, Reset)),
        case("answer's head cut, stalled", Fault::InAnswerHead(40, Stall)),
        case("answer's body cut, closed", Fault::InAnswerBody(20, Close)),
        case("answer's body cut, reset", Fault::InAnswerBody(20, Reset)),
        case("answer's body cut, stalled", Fault::InAnswerBody(20, Stall)),
        case("slow drip that ends in time", Fault::Drip(1)),
        case("1xx before the answer", Fault::Interim(3)),
        case("204 with a body", Fault::NoContentWithBody),
        case(
            "length longer than the body, closed",
            Fault::LengthTooLong(Close),
        ),
        case(
            "length longer than the body, stalled",
            Fault::LengthTooLong(Stall),
        ),
        case("length shorter than the body", Fault::LengthTooShort),
        case("length twice, equal", Fault::LengthTwice(true)),
        case("length twice, unequal", Fault::LengthTwice(false)),
        case("chunked", Fault::Chunked),
        case("garbage for a chunk", Fault::ChunkGarbage),
        case("last chunk missing, closed", Fault::ChunksCut(Close)),
        case("every header twice", Fault::HeadersTwice),
        case("Connection: close", Fault::SaysClose),
        case("closed after the answer", Fault::EndsAfterAnswer(Close)),
        said("429 of the gateway", Said::GatewayThrottle(false)),
        said(
            "429 of the gateway, Retry-After: 0",
            Said::GatewayThrottle(true),
        ),
        said("429 of the service", Said::ServiceThrottle),
        said("\"try again\" (80031, APIGW.0613)", Said::TryAgain),
        said("401", Said::Unauthenticated),
        said("403", Said::Forbidden),
        said("302, HTML", Said::Page(302)),
        said("200, HTML", Said::Page(200)),
        said("200 with a refusal inside", Said::RefusedInGood),
        said(
            "200 with a failure inside, not executed",
            Said::FailedInGood,
        ),
        failed("200 with a failure inside, executed", Said::FailedInGood),
        case("200 with half a refusal inside", Fault::RefusalCut),
        said("200 in a coding, not executed", Said::Coded),
        failed("200 in a coding, executed", Said::Coded),
        case("a run's answer under 207", Fault::Under(207)),
        case("a run's answer under 404", Fault::Under(404)),
        case("a run's answer under 429", Fault::Under(429)),
        case("a run's answer under 502", Fault::Under(502)),
        case("an answer about another run or function", Fault::OfAnother),
        said("500 of the service, not executed", Said::ServiceFailed),
        failed("500 of the service, executed", Said::ServiceFailed),
        failed("500 of the gateway, executed", Said::GatewayFailed),
        failed("503 of the service, executed", Said::Unavailable),
        failed("504 of the gateway, executed", Said::GatewayTimeout),
        said("502, HTML, not executed", Said::Page(502)),
        failed("502, HTML, executed", Said::Page(502)),
        bare(
            "1xx and no answer (100, 102, 103, 199)",
            false,
            &[100, 102, 103, 199],
        ),
        bare("101 for an answer, not executed", false, &[101]),
        bare("101 for an answer, executed", true, &[101]),
        bare(
            "2xx without a body (200–206, 226, 299), executed",
            true,
            &[200, 201, 202, 203, 204, 205, 206, 226, 299],
        ),
        bare(
            "3xx without a body (300–302, 304–308, 399)",
            false,
            &[300, 301, 302, 304, 305, 306, 307, 308, 399],
        ),
        bare("303 without a body, not executed", false, &[303]),
        bare("303 without a body, executed", true, &[303]),
        bare("400, 422 without a body", false, &[400, 422]),
        bare("401 without a body", false, &[401]),
        bare("403 without a body", false, &[403]),
        bare("404 without a body", false, &[404]),
        bare("408 without a body", false, &[408]),
        bare("409, 412 without a body", false, &[409, 412]),
        bare("413 without a body", false, &[413]),
        bare("429 without a body", false, &[429]),
        bare(
            "other 4xx without a body (402, 405, 410, 418, 421, 425, 428, 431, 451, 499)",
            false,
            &[
                402, 405, 406, 407, 410, 411, 414, 415, 416, 417, 418, 421, 423, 424, 425, 426,
                428, 431, 451, 499,
            ],
        ),
        bare("502, 503 without a body, executed", true, &[502, 503]),
        bare("504 without a body, executed", true, &[504]),
        bare(
            "other 5xx without a body (500, 501, 505–511, 599), executed",
            true,
            &[500, 501, 505, 506, 507, 508, 510, 511, 599],
        ),
        bare(
            "600 and above without a body (600, 699, 700, 999), not executed",
            false,
            &[600, 699, 700, 999],
        ),
        bare(
            "600 and above without a body (600, 699, 700, 999), executed",
            true,
            &[600, 699, 700, 999],
        ),
    ]
}

/// One cell to be: the case, the cloud, what is asked.
struct Driven {
    case: usize,
    asked: usize,
    /// One for each fault.
    plans: Vec<Plan>,
    lane: Lane,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_matrix_of_the_documentation_is_what_happens() {
    let _turn = crate::TURN.lock().await;
    let ledger = Ledger::default();
    let cases = cases();
    let mut cells = Vec::new();
    let mut numbers = 0..;
    for (number, case) in cases.iter().enumerate() {
        for cloud in Cloud::ALL {
            for (asked, (_, operation, idempotent)) in ASKED.iter().enumerate() {
                let runs = matches!(operation, Operation::Invoke | Operation::InvokeAsync);
                if case.large && !runs {
                    continue;
                }
                let plan =
                    |(fault, call)| plan(call, cloud, *operation, *idempotent, case.large, fault);
                let plans = case
                    .faults
                    .iter()
                    .copied()
                    .zip(&mut numbers)
                    .map(plan)
                    .collect();
                let lane = Lane::new(cells.len(), cloud, &ledger);
                cells.push(Driven {
                    case: number,
                    asked,
                    plans,
                    lane,
                });
            }
        }
    }
    let targets: String = cells
        .iter()
        .map(|cell| {
            let lane = &cell.lane;
            target(&lane.target(), lane.shared.cloud, &lane.url(), SETTINGS)
        })
        .collect();
    let sidecar = start(&targets);
    let caller = Caller::new(&sidecar);
    let mut rows: Vec<Row> = cases.iter().map(|case| Row::new(case.name)).collect();
    // In their own order again, so that the table does not depend on which ends first.
    let told: Vec<Vec<Cell>> = stream::iter(&cells)
        .map(|cell| drive_all(cell, &cases[cell.case], &caller, &ledger))
        .buffered(AT_ONCE)
        .collect()
        .await;
    for (cell, told) in cells.iter().zip(told) {
        for one in told {
            rows[cell.case].add(ASKED[cell.asked].0, cell.lane.shared.cloud, one);
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/certainty.md");
    let docs = std::fs::read_to_string(&path).unwrap();
    let proven = table::into(&docs, &table::markdown(&rows));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, proven).unwrap();
    } else {
        table::assert_same(&docs, &proven);
    }
}

fn plan(
    call: u64,
    cloud: Cloud,
    operation: Operation,
    idempotent: bool,
    large: bool,
    fault: Fault,
) -> Plan {
    Plan {
        number: call,
        cloud,
        operation,
        idempotent,
        ballast: if large { 200 << 10 } else { 0 },
        deadline: if fault.stalls() { SHORT } else { LONG },
        cancel: None,
        repeat: Repeat::Never,
        faults: vec![fault],
    }
}

/// Each fault of the case alone, one after the other.
async fn drive_all(cell: &Driven, case: &Case, caller: &Caller, ledger: &Ledger) -> Vec<Cell> {
    let mut told = Vec::new();
    for plan in &cell.plans {
        told.push(drive(plan, &cell.lane, case.warm, caller, ledger).await);
    }
    told
}

async fn drive(plan: &Plan, lane: &Lane, warm: bool, caller: &Caller, ledger: &Ledger) -> Cell {
    let (target, fault) = (lane.target(), plan.faults[0]);
    if warm {
        // A whole good call, of another number, so that its execution is not counted.
        let before = Plan {
            number: plan.number + 1_000_000,
            deadline: LONG,
            ..plan.clone()
        };
        let answer = perform(caller, &target, &before, 0).await;
        assert_eq!(answer.of, Some(before.number), "{answer:?}");
    }
    match fault {
        Fault::Refused(_) => lane.refuse().await,
        Fault::Unanswered(_) => lane.leave_unanswered().await,
        Fault::WhileIdle(order, _) => {
            lane.shared.orders.send_replace(order);
            // Long enough for the sidecar to see it, also on a busy machine.
            sleep(Duration::from_millis(500)).await;
        }
        _ => {
            // A put on FunctionGraph reads first; the fault is for the change itself.
            let reads_first =
                plan.operation == Operation::PutAction && plan.cloud == Cloud::FunctionGraph;
            lane.arm_for_good(plan.number, reads_first.then_some(Fault::None), fault);
        }
    }
    let began = tokio::time::Instant::now();
    let answer = perform(caller, &target, plan, 0).await;
    let ended = tokio::time::Instant::now();
    if let Fault::CarriedOutLate(millis) = fault {
        sleep(Duration::from_millis(millis.into())).await;
    }
    let truth = ledger.close(plan.number);
    let told = Cell::new(&answer, truth.count(plan.steps()[0]));
    let tries = [Try {
        began,
        ended,
        answer: Some(answer),
    }];
    let wrong = judge(plan, &tries, &truth);
    assert!(
        wrong.is_empty(),
        "{wrong:?} {}",
        crate::verdict::history(plan, &tries, &truth)
    );
    told
}
