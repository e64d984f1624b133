//! What `perf stat -x,` has counted. Pure.

/// An event and how often it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) what: String,
    pub(crate) number: u64,
}

/// The events that came at all, the most frequent first.
pub(super) fn parse(text: &str) -> Vec<Count> {
    let mut counts: Vec<Count> = text.lines().filter_map(line).collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.number));
    counts
}

/// `NUMBER,UNIT,EVENT,...`
fn line(line: &str) -> Option<Count> {
    let mut fields = line.split(',');
    let number = fields.next()?.parse().ok().filter(|&number| number > 0)?;
    let event = fields.nth(1)?;
    let what = match event.split_once(':') {
        Some(("syscalls", call)) => call.trim_start_matches("sys_enter_").to_owned(),
        Some(("io_uring", "io_uring_submit_req")) => "ring entries".to_owned(),
        // A probe of ours, whose group is named after this process.
        Some((_, probe)) => probe.replace('_', " "),
        None => event.replace('-', " "),
    };
    Some(Count { what, number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_named_as_people_name_them() {
        let text = "# started on Sun Nov 22\n\n\
            0,,syscalls:sys_enter_read,1000,100.00,,\n\
            12,,syscalls:sys_enter_epoll_wait,1000,100.00,,\n\
            40,,io_uring:io_uring_submit_req,1000,100.00,,\n\
            <not counted>,,page-faults,0,0.00,,\n\
            7,,edge_bench_17:allocations_in_C,1000,100.00,,\n\
            3,,context-switches,1000,100.00,,\n";
        let counts = parse(text);
        let shown: Vec<_> = counts.iter().map(|c| (c.what.as_str(), c.number)).collect();
        assert_eq!(
            shown,
            [
                ("ring entries", 40),
                ("epoll_wait", 12),
                ("allocations in C", 7),
                ("context switches", 3)
            ]
        );
    }
}
