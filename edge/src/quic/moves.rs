//! How often a connection may move.
//!
//! It moves with every packet that seems to come from elsewhere, and whoever lives there is asked for a sign of
//! life in a datagram or two of full size (RFC 9000 §8.2.1): `quinn` lets one of them go for however little came
//! in. By forged sources a client of a few dozen bytes would have us send fifty times as many to somebody
//! who has asked for nothing, for as long as it likes. So moves are counted, by the questions that they lead to.

/// Questions in one go: a client moves a few times at most, and is asked again where it does not answer.
const QUESTIONS_MAX: u64 = 100;
/// How many more for every second.
const QUESTIONS_PER_SEC: u64 = 1;

/// What is left to one connection.
#[derive(Debug)]
pub struct Moves {
    left: u64,
    asked: u64,
}

impl Default for Moves {
    fn default() -> Moves {
        Moves {
            left: QUESTIONS_MAX,
            asked: 0,
        }
    }
}

impl Moves {
    /// Takes note, once a second, of how many questions were asked since the connection began; whether
    /// they are too many.
    pub fn are_too_many(&mut self, asked: u64) -> bool {
        let new = asked.saturating_sub(self.asked);
        self.asked = asked;
        let is_over = new > self.left;
        self.left = (self.left.saturating_sub(new) + QUESTIONS_PER_SEC).min(QUESTIONS_MAX);
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_moves_are_nothing_and_many_are_too_many() {
        let mut moves = Moves::default();
        let mut asked = 0;
        for _ in 0..1000 {
            asked += 1;
            assert!(!moves.are_too_many(asked), "one a second");
        }
        asked += QUESTIONS_MAX;
        assert!(!moves.are_too_many(asked));
        assert!(moves.are_too_many(asked + 2));
        let mut storm = Moves::default();
        assert!(storm.are_too_many(QUESTIONS_MAX + 1));
    }
}
