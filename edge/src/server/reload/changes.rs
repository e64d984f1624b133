//! What a reload cannot change.

use crate::config::Config;

/// The settings that differ and take effect only with a restart, each with its old value.
pub(super) fn needing_restart(now: &Config, wanted: &Config) -> Vec<String> {
    let mut found = Vec::new();
    let mut note = |key: &str, changed: bool, stays: String| {
        if changed {
            found.push(format!(
                "`{key}` takes effect with a restart; until then it stays {stays}"
            ));
        }
    };
    note(
        "workers",
        now.workers != wanted.workers,
        now.workers.to_string(),
    );
    note(
        "user",
        now.user != wanted.user,
        now.user.clone().unwrap_or_default(),
    );
    note(
        "metrics.listen",
        now.metrics != wanted.metrics,
        now.metrics
            .map_or("\"off\"".into(), |addr| format!("{addr}")),
    );
    note(
        "admin.socket",
        now.admin != wanted.admin,
        now.admin.display().to_string(),
    );
    found
}

/// Keeps what takes a restart as it is, so that the next reload compares with what is in force.
pub(super) fn keep(now: &Config, wanted: &mut Config) {
    wanted.workers = now.workers;
    wanted.user.clone_from(&now.user);
    wanted.metrics = now.metrics;
    wanted.admin.clone_from(&now.admin);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::testing;

    #[test]
    fn what_takes_a_restart_is_named_and_stays() {
        let now = testing::config();
        let mut wanted = testing::config();
        assert_eq!(needing_restart(&now, &wanted), Vec::<String>::new());
        wanted.workers = 3;
        wanted.metrics = Some(([127, 0, 0, 1], 9901).into());
        let expected = [
            "`workers` takes effect with a restart; until then it stays 2",
            "`metrics.listen` takes effect with a restart; until then it stays \"off\"",
        ];
        assert_eq!(needing_restart(&now, &wanted), expected);
        keep(&now, &mut wanted);
        assert_eq!(needing_restart(&now, &wanted), Vec::<String>::new());
    }
}
