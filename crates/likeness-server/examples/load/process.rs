//! What processes have used, as the kernel tells.

use rustix::param::clock_ticks_per_second;
use std::path::PathBuf;

/// Seconds of processor time of a process, its children, and theirs that have ended.
pub(crate) fn cpu_of_family(id: u32) -> f64 {
    cpu(id) + children(id).into_iter().map(cpu).sum::<f64>()
}

/// Seconds of processor time of a process and of its children that have ended.
pub(crate) fn cpu(id: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name may hold anything, but no bracket comes after it.
    let (_, fields) = text.rsplit_once(')').unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(4);
    let ticks: u64 = ticks.map(|field| field.parse::<u64>().unwrap()).sum();
    ticks as f64 / clock_ticks_per_second() as f64
}

/// Processes that a process has started and not waited for yet; none if it has ended.
pub(crate) fn children(id: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task"));
    let lists = tasks
        .into_iter()
        .flatten()
        .map(|task| task.unwrap().path().join("children"));
    let ids = |list: PathBuf| {
        let list = std::fs::read_to_string(list).unwrap_or_default();
        let ids = list.split_whitespace().map(|id| id.parse().unwrap());
        ids.collect::<Vec<u32>>()
    };
    lists.flat_map(ids).collect()
}

/// A process' memory in use and its peak, MiB.
pub(crate) fn memory(id: u32) -> (u64, u64) {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib >> 10
    };
    (field("VmRSS:"), field("VmHWM:"))
}
