//! Counting allocations where they happen: probes of the kernel at the functions that allocate.
//!
//! The program is the one that everybody runs: nothing is compiled in, and what is not watched costs
//! nothing. Each call costs a trap, so allocations are counted in a slice of their own.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, id};

use anyhow::{Context, Result, ensure};
use object::{Object as _, ObjectSegment as _, ObjectSymbol as _};

/// Where the kernel takes and lists probes of programs.
const PROBES: &str = "/sys/kernel/tracing/uprobe_events";

/// What is counted, and the functions it goes through: those of mimalloc, which all Rust code uses,
/// and those of the C library, for C code and for other proxies.
const FUNCTIONS: &[(&str, &str)] = &[
    ("allocations", "mi_malloc_aligned"),
    ("allocations_zeroed", "mi_zalloc_aligned"),
    ("reallocations", "mi_realloc_aligned"),
];
const C_FUNCTIONS: &[(&str, &str)] = &[
    ("allocations_in_C", "malloc"),
    ("allocations_zeroed_in_C", "calloc"),
    ("reallocations_in_C", "realloc"),
];

/// Probes, gone when this is dropped.
pub(super) struct Probes {
    group: String,
    names: Vec<&'static str>,
}

impl Probes {
    /// At the functions of a program and of the C library that it uses, as far as it has them.
    pub(super) fn set(program: &Path) -> Result<Self> {
        let mut probes = Self {
            group: format!("edge_bench_{}", id()),
            names: Vec::new(),
        };
        probes.add(program, FUNCTIONS)?;
        if let Some(library) = c_library(program) {
            probes.add(Path::new(&library), C_FUNCTIONS)?;
        }
        ensure!(
            !probes.names.is_empty(),
            "no function that allocates is known in {}",
            program.display()
        );
        Ok(probes)
    }

    /// What `perf stat -e` takes.
    pub(super) fn events(&self) -> String {
        format!("{}:*", self.group)
    }

    fn add(
        &mut self,
        file: &Path,
        functions: &'static [(&'static str, &'static str)],
    ) -> Result<()> {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let elf = object::File::parse(&*bytes)?;
        for (name, function) in functions {
            if let Some(offset) = offset(&elf, function) {
                let place = format!("{}:{offset:#x}", file.display());
                write(&format!("p:{}/{name} {place}", self.group))?;
                self.names.push(name);
            }
        }
        Ok(())
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        for name in &self.names {
            // What could be set can be removed.
            let _ = write(&format!("-:{}/{name}", self.group));
        }
    }
}

/// One line, behind those that are there.
fn write(line: &str) -> Result<()> {
    let file = OpenOptions::new().append(true).open(PROBES);
    let mut file = file.with_context(|| format!("cannot open {PROBES}"))?;
    file.write_all(format!("{line}\n").as_bytes())
        .with_context(|| format!("the kernel does not take {line:?}"))
}

/// Where a function is in its file.
fn offset(elf: &object::File<'_>, function: &str) -> Option<u64> {
    let symbols = elf.symbols().chain(elf.dynamic_symbols());
    let mut found =
        symbols.filter(|symbol| symbol.is_definition() && symbol.name() == Ok(function));
    let address = found.next()?.address();
    elf.segments().find_map(|segment| {
        let within = address.checked_sub(segment.address())?;
        let (offset, length) = segment.file_range();
        (within < length).then_some(offset + within)
    })
}

/// The C library that a program is linked with, as ldd(1) says.
fn c_library(program: &Path) -> Option<String> {
    let output = Command::new("ldd").arg(program).output().ok()?;
    library_in(&String::from_utf8_lossy(&output.stdout))
}

/// `libc.so.6 => /lib/.../libc.so.6 (0x...)`
fn library_in(text: &str) -> Option<String> {
    let line = text
        .lines()
        .find(|line| line.trim().starts_with("libc.so"))?;
    let (_, path) = line.split_once("=> ")?;
    Some(path.split(' ').next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_found_among_others() {
        let text = "\tlinux-vdso.so.1 (0x00007fff)\n\
                    \tlibgcc_s.so.1 => /lib/x/libgcc_s.so.1 (0x00007f)\n\
                    \tlibc.so.6 => /lib/x/libc.so.6 (0x00007f)\n";
        assert_eq!(library_in(text).as_deref(), Some("/lib/x/libc.so.6"));
        assert_eq!(library_in("\tnot a dynamic executable\n"), None);
    }

    #[test]
    fn a_function_is_found_in_its_file() {
        let bytes = fs::read("/proc/self/exe").expect("this program");
        let elf = object::File::parse(&*bytes).expect("an ELF file");
        let main = offset(&elf, "main").expect("every program has one");
        assert!((1..bytes.len() as u64).contains(&main));
        assert_eq!(offset(&elf, "no such function"), None);
    }
}
