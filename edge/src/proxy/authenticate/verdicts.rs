//! Answers of auth services that one worker remembers, and questions that are under way.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use tokio::sync::Notify;

use super::subrequest::Verdict;

/// A few hundred bytes each.
const REMEMBERED_MAX: usize = 4096;

/// By the identity of the question.
#[derive(Default)]
pub(in crate::proxy) struct Verdicts(RefCell<HashMap<[u8; 32], State>>);

enum State {
    Known { verdict: Verdict, until_ns: u64 },
    Asked(Rc<Notify>),
}

/// What is known of a question.
pub(super) enum Known<'v> {
    /// The answer.
    Verdict(Verdict),
    /// Somebody asks at this moment and will tell.
    Asked(Rc<Notify>),
    /// Nothing; whoever hears this asks.
    Nothing(Asking<'v>),
}

/// The right to ask. Whoever waits for the answer is told when this goes, with or without one.
pub(super) struct Asking<'v> {
    verdicts: &'v Verdicts,
    identity: [u8; 32],
    told: Rc<Notify>,
}

impl Verdicts {
    /// Looks a question up.
    pub(super) fn look_up(&self, identity: [u8; 32], now_ns: u64) -> Known<'_> {
        let mut states = self.0.borrow_mut();
        match states.get(&identity) {
            Some(State::Known { verdict, until_ns }) if *until_ns > now_ns => {
                return Known::Verdict(verdict.clone());
            }
            Some(State::Asked(told)) => return Known::Asked(Rc::clone(told)),
            Some(State::Known { .. }) | None => {}
        }
        if states.len() >= REMEMBERED_MAX {
            make_room(&mut states, now_ns);
        }
        let told = Rc::new(Notify::new());
        states.insert(identity, State::Asked(Rc::clone(&told)));
        Known::Nothing(Asking {
            verdicts: self,
            identity,
            told,
        })
    }
}

/// Forgets what has expired, and if that is little, all that is known. Who waits still waits.
fn make_room(states: &mut HashMap<[u8; 32], State>, now_ns: u64) {
    states.retain(|_, state| match state {
        State::Known { until_ns, .. } => *until_ns > now_ns,
        State::Asked(_) => true,
    });
    if states.len() >= REMEMBERED_MAX / 2 {
        states.retain(|_, state| matches!(state, State::Asked(_)));
    }
}

impl Asking<'_> {
    /// The answer stands until then.
    pub(super) fn remember(self, verdict: Verdict, until_ns: u64) {
        let state = State::Known { verdict, until_ns };
        self.verdicts.0.borrow_mut().insert(self.identity, state);
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut states = self.verdicts.0.borrow_mut();
        if let Some(State::Asked(_)) = states.get(&self.identity) {
            states.remove(&self.identity);
        }
        self.told.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(known: Known<'_>) -> Asking<'_> {
        match known {
            Known::Nothing(asking) => asking,
            Known::Verdict(_) => panic!("it is known"),
            Known::Asked(_) => panic!("somebody asks"),
        }
    }

    #[test]
    fn one_asks_and_the_others_wait_until_the_answer_has_expired() {
        let verdicts = Verdicts::default();
        let first = asks(verdicts.look_up([1; 32], 0));
        assert!(matches!(verdicts.look_up([1; 32], 0), Known::Asked(_)));
        let other = asks(verdicts.look_up([2; 32], 0));
        drop(other);
        assert_eq!(
            verdicts.0.borrow().len(),
            1,
            "nothing came of the other one"
        );
        first.remember(Verdict::consent(), 10);
        assert!(matches!(verdicts.look_up([1; 32], 9), Known::Verdict(_)));
        drop(asks(verdicts.look_up([1; 32], 10)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let verdicts = Verdicts::default();
        let waiting = asks(verdicts.look_up([255; 32], 0));
        for n in 0..3 * REMEMBERED_MAX as u64 {
            let mut identity = [0; 32];
            identity[..8].copy_from_slice(&n.to_be_bytes());
            asks(verdicts.look_up(identity, n)).remember(Verdict::consent(), u64::MAX);
            assert!(verdicts.0.borrow().len() <= REMEMBERED_MAX);
        }
        assert!(matches!(verdicts.look_up([255; 32], 0), Known::Asked(_)));
        drop(waiting);
    }
}
