//! What a run cost, and the clocks that tell.

use crate::corpus::Kind;
use crate::stats::quantile;
use cap::Cap;
use likeness_core::report::{AudioState, MatchReport, VideoState};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::alloc::System;

/// What a run cost. Times in seconds, sizes in bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Costs {
    pub(crate) jobs: usize,
    pub(crate) references: usize,
    /// References that could not be added, and why.
    pub(crate) failed: Vec<String>,
    /// Music, speech, then videos; a kind without references is left out.
    pub(crate) adding: Vec<AddCost>,
    pub(crate) library_bytes: u64,
    pub(crate) library_audio_seconds: f64,
    pub(crate) library_video_seconds: f64,
    /// Of the fingerprints alone; the look-up tables make up the rest of the library.
    pub(crate) audio_fingerprint_bytes: u64,
    pub(crate) video_fingerprint_bytes: u64,
    pub(crate) open_wall: f64,
    /// Queries of sound, of picture, of both, and whole works; a kind without queries is left out.
    pub(crate) matching: Vec<MatchCost>,
    pub(crate) query_wall: f64,
    pub(crate) query_cpu: f64,
    /// The most memory held while adding and matching.
    pub(crate) peak_memory: u64,
}

/// What it cost to add the references of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AddCost {
    pub(crate) kind: Kind,
    pub(crate) references: usize,
    pub(crate) seconds: f64,
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
    /// Decoding the references again and doing nothing with them; 0 when nothing was added.
    pub(crate) decode_cpu: f64,
}

/// What it cost to match the queries of one kind, one after another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MatchCost {
    /// "sound", "picture", "both" or "whole work".
    pub(crate) what: String,
    pub(crate) queries: usize,
    /// Decoding and fingerprinting a query, wall: p50, p95, p99.
    pub(crate) extract: [f64; 3],
    /// ... CPU: mean.
    pub(crate) extract_cpu: f64,
    /// Looking it up, wall: p50, p95, p99.
    pub(crate) lookup: [f64; 3],
    /// ... CPU: mean.
    pub(crate) lookup_cpu: f64,
}

/// Seconds that one query took.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Times {
    pub(crate) query: String,
    /// "sound", "picture", "both" or "whole work"; empty when it could not be analysed.
    pub(crate) what: &'static str,
    pub(crate) extract: f64,
    pub(crate) extract_cpu: f64,
    pub(crate) lookup: f64,
    pub(crate) lookup_cpu: f64,
}

/// What is said of copies by other people, which are whole works.
pub(crate) const WHOLE: &str = "whole work";

/// What of a query was looked at.
pub(crate) fn analysed(report: &MatchReport) -> &'static str {
    let sound = report.audio == Some(AudioState::Analysed);
    let picture = report.video == Some(VideoState::Analysed);
    match (sound, picture) {
        (true, true) => "both",
        (true, false) => "sound",
        (false, true) => "picture",
        (false, false) => "",
    }
}

/// The costs of each kind of query.
pub(crate) fn of_queries(times: &[Times]) -> Vec<MatchCost> {
    let of = |what: &str| {
        let these: Vec<&Times> = times.iter().filter(|t| t.what == what).collect();
        let all = |value: fn(&Times) -> f64| -> Vec<f64> {
            these.iter().map(|times| value(times)).collect()
        };
        let mean = |value| all(value).iter().sum::<f64>() / these.len() as f64;
        (!these.is_empty()).then(|| MatchCost {
            what: what.to_owned(),
            queries: these.len(),
            extract: percentiles(&all(|t| t.extract)),
            extract_cpu: mean(|t| t.extract_cpu),
            lookup: percentiles(&all(|t| t.lookup)),
            lookup_cpu: mean(|t| t.lookup_cpu),
        })
    };
    ["sound", "picture", "both"]
        .into_iter()
        .filter_map(of)
        .collect()
}

fn percentiles(values: &[f64]) -> [f64; 3] {
    [0.5, 0.95, 0.99].map(|share| quantile(values, share).unwrap_or(0.0))
}

/// CPU seconds that this process has used, all threads.
pub(crate) fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// CPU seconds that this thread has used.
pub(crate) fn thread_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Bytes that this program has asked for and not given back: what memory an index takes, to the byte,
/// where resident memory hides what lay idle before. Costs one addition for each block.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// What [`ALLOCATOR`] counts; nothing of other languages' libraries.
pub(crate) fn allocated() -> usize {
    ALLOCATOR.allocated()
}

/// Begins to measure peak memory anew: making queries takes memory of its own. A system that does
/// not allow it counts that too.
pub(crate) fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that this process has held, bytes; 0 where the system does not tell.
pub(crate) fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_counted_by_what_was_looked_at() {
        let times = |what, extract, lookup_cpu| Times {
            query: String::new(),
            what,
            extract,
            extract_cpu: 0.0,
            lookup: 0.0,
            lookup_cpu,
        };
        let all = [
            times("sound", 1.0, 0.2),
            times("picture", 9.0, 0.0),
            times("sound", 3.0, 0.4),
            times("", 7.0, 0.0),
        ];
        let costs = of_queries(&all);
        let whats: Vec<&str> = costs.iter().map(|cost| cost.what.as_str()).collect();
        assert_eq!(whats, ["sound", "picture"]);
        assert_eq!((costs[0].queries, costs[0].extract), (2, [1.0, 3.0, 3.0]));
        assert!((costs[0].lookup_cpu - 0.3).abs() < 1e-12);
    }

    #[test]
    fn a_peak_is_forgotten() {
        let block = std::hint::black_box(vec![1_u8; 200 << 20]);
        let high = peak_memory();
        drop(block);
        forget_peak();
        assert!(peak_memory() + (100 << 20) < high);
    }
}
