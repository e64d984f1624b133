//! What the program says in builds for who works on it (feature `bpf-log`): a line for each packet
//! that it reports, with the number of the verdict.

use aya::Ebpf;
use aya_log::EbpfLogger;

use super::ShieldError;

/// The program's lines, on their way to the log of this process.
pub(super) struct ProgramLog(EbpfLogger<ToTracing>);

impl ProgramLog {
    /// Takes the ring of lines from a program that is not loaded yet.
    pub(super) fn of(ebpf: &mut Ebpf) -> Result<ProgramLog, ShieldError> {
        let log = EbpfLogger::init_with_logger(ebpf, ToTracing);
        log.map(ProgramLog).map_err(|error| ShieldError::Load {
            part: "log",
            cause: error.into(),
        })
    }

    /// Hands on what has been said.
    pub(super) fn flush(&mut self) {
        self.0.flush();
    }
}

struct ToTracing;

impl log::Log for ToTracing {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        tracing::debug!(target: "shield", "{}", record.args());
    }

    fn flush(&self) {}
}
