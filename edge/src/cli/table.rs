//! Columns as wide as they need to be.

/// Lays rows out under titles; columns named in `right` are aligned to the right, the last one is
/// not padded.
pub(super) fn table<const N: usize>(
    titles: [&str; N],
    right: &[usize],
    rows: &[[String; N]],
) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(titles[column].chars().count())
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let mut line = String::new();
        for (column, cell) in cells.into_iter().enumerate() {
            if column > 0 {
                line.push_str("  ");
            }
            let width = widths[column];
            match right.contains(&column) {
                true => line.push_str(&format!("{cell:>width$}")),
                false if column == N - 1 => line.push_str(cell),
                false => line.push_str(&format!("{cell:width$}")),
            }
        }
        line
    };
    let mut lines = vec![line(titles)];
    lines.extend(
        rows.iter()
            .map(|row| line(std::array::from_fn(|i| &*row[i]))),
    );
    lines.join("\n")
}

/// Time left: the two largest units, rounded up to a second: what is listed is not over.
pub(super) fn remaining(ms: u64) -> String {
    let seconds = ms / 1000 + u64::from(!ms.is_multiple_of(1000));
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m {:02}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {:02}m", minutes % 60),
        (days, hours, _) => format!("{days}d {:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::{remaining, table};

    #[test]
    fn columns_are_aligned() {
        let row = |a: &str, b: &str, c: &str| [a.to_owned(), b.to_owned(), c.to_owned()];
        let rows = [row("203.0.113.7", "9m 59s", "x"), row("::1", "1s", "")];
        insta::assert_snapshot!(table(["ADDRESS", "LEFT", "WHY"], &[1], &rows), @"
        ADDRESS        LEFT  WHY
        203.0.113.7  9m 59s  x
        ::1              1s  
        ");
    }

    #[test]
    fn remaining_time_has_two_units_and_is_never_nothing() {
        assert_eq!(remaining(1), "1s");
        assert_eq!(remaining(1001), "2s");
        assert_eq!(remaining(59_001), "1m 00s");
        assert_eq!(remaining(3_599_999), "1h 00m");
        assert_eq!(remaining(90_000_000), "1d 01h");
        assert_eq!(remaining(u64::MAX), "213503982334d 14h");
    }
}
