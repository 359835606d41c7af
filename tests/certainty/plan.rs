//! What one call does and what is done to it: all of it follows from the seed and the call's
//! number.

use std::time::Duration;

use crate::answers::Cloud;
use crate::dice::Dice;
use crate::fault::{End, Fault};
use crate::ledger::Step;
use crate::lists::List;

/// What a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Invoke,
    InvokeAsync,
    GetActivation,
    PutAction,
    DeleteAction,
    /// All pages of a list.
    List(List),
}

/// How the caller repeats a call with its `request_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// One try, without an id.
    Never,
    /// Two tries at once, as a hedging client makes them.
    AtOnce,
    /// So many more tries, one after the other: each after the answer to the one before, or its
    /// cancellation.
    After(u8),
}

/// One call.
#[derive(Clone, Debug)]
pub struct Plan {
    pub number: u64,
    pub cloud: Cloud,
    pub operation: Operation,
    pub idempotent: bool,
    /// Bytes of ballast in the arguments.
    pub ballast: usize,
    pub deadline: Duration,
    /// The caller hangs up on its first try after so long.
    pub cancel: Option<Duration>,
    pub repeat: Repeat,
    /// What the upstream's next requests and connections meet.
    pub faults: Vec<Fault>,
}

/// Ballast of a large request: a multiple of what the sockets hold between the two.
const LARGE: usize = 200 << 10;

impl Plan {
    pub fn of(seed: u64, number: u64) -> Self {
        let mut dice = Dice::of(seed, number);
        let cloud = Cloud::ALL[usize::from(!number.is_multiple_of(2))];
        let operation = match dice.between(0, 99) {
            0..=54 => Operation::Invoke,
            55..=74 => Operation::InvokeAsync,
            75..=82 => Operation::GetActivation,
            83..=88 => Operation::PutAction,
            89..=93 => Operation::DeleteAction,
            _ => Operation::List(List::draw(cloud, &mut dice)),
        };
        let runs = matches!(operation, Operation::Invoke | Operation::InvokeAsync);
        let idempotent = !runs || dice.percent(30);
        let ballast = if runs && dice.percent(3) { LARGE } else { 0 };
        let body = if runs { ballast + 20 } else { 300 };
        // One call in five meets nothing, so that faults also follow on good calls.
        let mut faults = Vec::new();
        if dice.percent(80) {
            faults.push(Fault::draw(&mut dice, u32::try_from(body).unwrap()));
            while faults.len() < 5 && dice.percent(45) {
                let next = Fault::draw(&mut dice, u32::try_from(body).unwrap());
                // These happen before a call, not between its attempts.
                faults.push(match next {
                    Fault::Refused(_) | Fault::Unanswered(_) | Fault::WhileIdle(..) => {
                        Fault::OnArrival(End::Reset)
                    }
                    next => next,
                });
            }
        }
        let stalls = faults.iter().any(|fault| fault.stalls());
        let deadline = match dice.between(0, 99) {
            0..=7 => dice.between(1, 60),
            // Now and then longer than the patience of one attempt.
            8..=11 if stalls => dice.between(2000, 3000),
            _ if stalls => dice.between(80, 400),
            _ => dice.between(2000, 6000),
        };
        let cancel = dice
            .percent(8)
            .then(|| Duration::from_micros(dice.between(0, 40_000)));
        let repeat = match dice.between(0, 99) {
            0..=5 if runs => Repeat::AtOnce,
            6..=17 if runs => Repeat::After(u8::try_from(dice.between(1, 3)).unwrap()),
            _ => Repeat::Never,
        };
        Self {
            number,
            cloud,
            operation,
            idempotent,
            ballast,
            deadline: Duration::from_millis(deadline),
            cancel,
            repeat,
            faults,
        }
    }

    /// The steps that make the call's execution: all of them make it complete, one of them makes it
    /// begun.
    pub fn steps(&self) -> &'static [Step] {
        match (self.operation, self.cloud) {
            (Operation::Invoke, _) | (Operation::InvokeAsync, Cloud::Ncp) => &[Step::Run],
            (Operation::InvokeAsync, Cloud::FunctionGraph) => &[Step::RunAsync],
            (Operation::GetActivation, _) => &[Step::Read],
            (Operation::PutAction, Cloud::Ncp) => &[Step::Put],
            (Operation::PutAction, Cloud::FunctionGraph) => &[Step::Put, Step::PutCode],
            (Operation::DeleteAction, _) => &[Step::Delete],
            (Operation::List(_), _) => &[Step::List],
        }
    }
}
