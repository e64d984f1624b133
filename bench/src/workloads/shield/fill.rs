//! Filling edge's maps behind its back, to see what full ones cost.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::super::shell;

/// Puts so many bans into the table of a program, and lets its filter pass everybody: the worst a
/// full table can do to those who are not in it, of whom each CPU remembers the latest.
pub(super) fn bans(program: &str, count: u32) -> Result<()> {
    let (table, filter) = (map(program, "BANS")?, map(program, "BAN_FILTER")?);
    let mut lines = String::new();
    for i in 0..count {
        // 100.64.0.0/10 as the program keys it, for ever.
        let [a, b, c, d] = (0x6440_0000 + i).to_be_bytes();
        writeln!(
            lines,
            "map update id {table} key hex 00 00 00 00 00 00 00 00 00 00 ff ff {a:02x} {b:02x} {c:02x} {d:02x} \
             value hex ff ff ff ff ff ff ff ff 00 00 01 00 00 00 00 00"
        )?;
    }
    // The fine filter, and the coarse one behind it.
    for word in 0..(1u32 << 17) + (1 << 10) {
        let [a, b, c, d] = word.to_le_bytes();
        writeln!(
            lines,
            "map update id {filter} key hex {a:02x} {b:02x} {c:02x} {d:02x} value hex ff ff ff ff ff ff ff ff"
        )?;
    }
    shell::feed("bpftool", &["batch", "file", "-"], lines)
}

/// Buckets of the table of sources: four words to tell them apart, and four for each of three limits.
const BUCKETS: u32 = 1 << 16;

/// Puts sources into every place of a program's table, all of them over their limit for the next
/// quarter of an hour. The table must hold a source whose limit lets it send a packet an hour.
pub(super) fn sources(program: &str) -> Result<()> {
    let table = map(program, "SOURCES")?;
    // The program has a clock of its own, with 1,024 to 2,048 units in an hour: a quarter of an hour or
    // more before that source may send again.
    let until = until(table)?.wrapping_sub(512);
    fill_sources(table, until)
}

/// Puts sources into every place of a program's table that have sent something some time.
pub(super) fn others(program: &str) -> Result<()> {
    fill_sources(map(program, "SOURCES")?, 0)
}

fn fill_sources(table: u64, until: u32) -> Result<()> {
    let mut lines = String::new();
    let mut tag = 0x9e37_79b9u32;
    let hex = |line: &mut String, word: u32| {
        word.to_le_bytes()
            .iter()
            .try_for_each(|byte| write!(line, " {byte:02x}"))
    };
    for bucket in 0..BUCKETS {
        let [a, b, c, d] = bucket.to_le_bytes();
        write!(
            lines,
            "map update id {table} key hex {a:02x} {b:02x} {c:02x} {d:02x} value hex"
        )?;
        for _ in 0..4 {
            tag = tag.wrapping_mul(0x4c95_7f2d).wrapping_add(0x5851_f42f);
            hex(&mut lines, tag | 1)?;
        }
        for state in [until, 0, 0] {
            for _ in 0..4 {
                hex(&mut lines, state)?;
            }
        }
        lines.push('\n');
    }
    shell::feed("bpftool", &["batch", "file", "-"], lines)
}

/// When the first source that is found may send again, by the program's clock.
fn until(table: u64) -> Result<u32> {
    for bucket in 0..BUCKETS {
        let key = bucket.to_le_bytes().map(|byte| byte.to_string());
        let table = table.to_string();
        let lookup = ["-j", "map", "lookup", "id", &table, "key"];
        let key: Vec<&str> = key.iter().map(String::as_str).collect();
        let found = shell::json("bpftool", &[&lookup[..], &key].concat())?;
        let byte = |at: usize| {
            let text = found["value"][at].as_str().unwrap_or_default();
            u8::from_str_radix(text.trim_start_matches("0x"), 16)
        };
        let word = |at: usize| -> Result<u32> {
            let mut bytes = [0; 4];
            for (index, place) in bytes.iter_mut().enumerate() {
                *place = byte(4 * at + index)?;
            }
            Ok(u32::from_le_bytes(bytes))
        };
        for cell in 0..4 {
            if word(cell)? != 0 {
                return word(4 + cell);
            }
        }
    }
    anyhow::bail!("no source is in the table")
}

/// The number of a program's map.
fn map(program: &str, name: &str) -> Result<u64> {
    let shown = shell::json("bpftool", &["-j", "prog", "show", "id", program])?;
    let ids = shown["map_ids"].as_array().context("it has maps")?;
    for id in ids.iter().filter_map(serde_json::Value::as_u64) {
        let map = shell::json("bpftool", &["-j", "map", "show", "id", &id.to_string()])?;
        if map["name"] == name {
            return Ok(id);
        }
    }
    anyhow::bail!("edge's program has no map {name}")
}

/// So many networks all over IPv4, none of which has an address of 198.18.0.0/15.
pub(super) fn networks(count: u32, mut seed: u64) -> String {
    let mut lines = String::new();
    let mut written = 0;
    while written < count {
        // Marsaglia's xorshift64.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let prefix = 12 + (seed >> 40) % 21;
        let addr = (seed as u32) & (u32::MAX << (32 - prefix));
        let [a, b, c, d] = addr.to_be_bytes();
        let holds_sources = addr & 0xfffe_0000 == 0xc612_0000 || (a == 198 && prefix < 15);
        if a == 0 || a >= 224 || holds_sources {
            continue;
        }
        written += 1;
        lines.push_str(&format!("{a}.{b}.{c}.{d}/{prefix}\n"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_leave_out_the_sources_of_the_flood() {
        let list = networks(10_000, 7);
        assert_eq!(list.lines().count(), 10_000);
        for line in list.lines() {
            let (addr, prefix) = line.split_once('/').expect("a network");
            let bits = addr.parse::<std::net::Ipv4Addr>().expect("IPv4").to_bits();
            let prefix: u32 = prefix.parse().expect("a number");
            let mask = u32::MAX << (32 - prefix.min(15));
            assert_ne!(bits & mask, 0xc612_0000 & mask, "{line}");
        }
    }
}
