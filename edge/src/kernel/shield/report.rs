//! What a shield has to say: samples of drops, counts of verdicts.

use aya::maps::PerCpuValues;
use edge_common::{COUNTERS, Cpu, Evidence, Family, Verdict};

use super::{Shield, inaccessible};
use crate::kernel::{ShieldError, ring};

impl Shield {
    /// Samples of what was dropped since the last call, the oldest first and a bounded number.
    pub fn evidence(&mut self) -> Vec<Evidence> {
        #[cfg(feature = "bpf-log")]
        self.log.flush();
        ring::drain(&mut self.maps.evidence)
    }

    /// Samples that were lost since the start because nobody called [`Shield::evidence`] in time.
    pub fn evidence_lost(&self) -> Result<u64, ShieldError> {
        Ok(self.cpus()?.iter().map(|cpu| cpu.reports_lost).sum())
    }

    /// Packets by verdict and family since the start, over all CPUs; every combination, in the
    /// order of [`Verdict::ALL`].
    pub fn verdicts(&self) -> Result<Vec<(Verdict, Family, u64)>, ShieldError> {
        Ok(counts(&self.cpus()?, |cpu| &cpu.packets))
    }

    /// The same for packets that would have been dropped, and passed because `monitor` is on.
    pub fn watched(&self) -> Result<Vec<(Verdict, Family, u64)>, ShieldError> {
        Ok(counts(&self.cpus()?, |cpu| &cpu.watched))
    }

    fn cpus(&self) -> Result<PerCpuValues<Cpu>, ShieldError> {
        let cpus = self.maps.cpus.get(&0, 0);
        cpus.map_err(|error| inaccessible("CPUS", error))
    }
}

fn counts(
    cpus: &PerCpuValues<Cpu>,
    counters: impl Fn(&Cpu) -> &[u64; COUNTERS],
) -> Vec<(Verdict, Family, u64)> {
    let kinds = Verdict::ALL
        .into_iter()
        .flat_map(|verdict| Family::ALL.map(|family| (verdict, family)));
    let sum = |(verdict, family): (Verdict, Family)| {
        let counter = verdict.counter(family);
        let packets = cpus.iter().map(|cpu| counters(cpu)[counter]).sum();
        (verdict, family, packets)
    };
    kinds.map(sum).collect()
}
