//! The nearest valid name to one that is not valid.

/// The candidate a person most likely meant by `word`, if any is near enough to be worth saying.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let word = plain(word);
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::osa_distance(&word, &plain(candidate));
            (distance, candidate)
        })
        // A third of the word may be wrong: two typing errors in `certificate`, one in `path`.
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_typing_errors_and_other_spellings() {
        let keys = ["certificate", "key", "names", "route", "idle_max"];
        assert_eq!(nearest("certifcate", keys), Some("certificate"));
        assert_eq!(nearest("certficiate", keys), Some("certificate"));
        assert_eq!(nearest("name", keys), Some("names"));
        assert_eq!(nearest("Idle-Max", keys), Some("idle_max"));
        assert_eq!(nearest("routes", keys), Some("route"));
    }

    #[test]
    fn says_nothing_when_nothing_is_near() {
        assert_eq!(nearest("gzip", ["certificate", "key"]), None);
        assert_eq!(nearest("", ["off"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
