//! Decoded blocks with time stamps to one gapless run of samples.

use super::Sink;
use super::resample::Resampler;
use crate::limits::Watch;
use crate::{Limits, MediaError};
use likeness_core::PcmBlock;
use std::ops::ControlFlow;
use std::path::Path;

/// Disagreement of stamps and sample count that is tolerated, seconds: containers round their
/// stamps, and samples are a better clock than stamps over short times.
const TOLERANCE_S: f64 = 0.1;
/// Sample rates that are believed, Hz.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;
/// Samples converted at a time: bounds the buffers whatever the decoder hands over.
const BLOCK: usize = 8192;

/// Places blocks of samples on the time axis, fills holes with silence, converts the rate
/// and hands the result on.
pub(crate) struct Timeline<'a> {
    path: &'a Path,
    limits: &'a Limits,
    watch: &'a Watch,
    sink: &'a mut Sink<'a>,
    rate: u32,
    run: Option<Run>,
    /// Seconds at which the current run began.
    run_start: f64,
    /// What is added to the stamps since their clock broke or restarted.
    shift: f64,
    delivered: u64,
    decoded: u64,
    stopped: bool,
}

/// Blocks of one sample rate and number of channels.
struct Run {
    rate: u32,
    stereo: bool,
    resampler: Resampler,
    samples: u64,
}

impl<'a> Timeline<'a> {
    pub(crate) fn new(
        path: &'a Path,
        rate: u32,
        limits: &'a Limits,
        watch: &'a Watch,
        sink: &'a mut Sink<'a>,
    ) -> Timeline<'a> {
        Timeline {
            path,
            limits,
            watch,
            sink,
            rate,
            run: None,
            run_start: 0.0,
            shift: 0.0,
            delivered: 0,
            decoded: 0,
            stopped: false,
        }
    }

    /// Whether the sink has had enough.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }

    /// Samples that came from the decoder rather than from filling holes.
    pub(crate) fn decoded(&self) -> u64 {
        self.decoded
    }

    /// Seconds delivered.
    pub(crate) fn duration(&self) -> f64 {
        self.delivered as f64 / f64::from(self.rate)
    }

    /// Seconds at which the next sample belongs.
    fn position(&self) -> f64 {
        let run = self.run.as_ref();
        self.run_start + run.map_or(0.0, |r| r.samples as f64 / f64::from(r.rate))
    }

    /// Appends a block of samples that is stamped with `time` seconds, and the block after
    /// it with `successor`.
    pub(crate) fn push(
        &mut self,
        block: PcmBlock<'_>,
        rate: u32,
        time: Option<f64>,
        successor: Option<f64>,
    ) -> Result<(), MediaError> {
        if block.is_empty() || self.stopped {
            return Ok(());
        }
        let first = self.run.is_none();
        self.start_run(rate, !block.side.is_empty())?;
        self.decoded += block.len() as u64;
        let time = time.filter(|t| t.is_finite());
        let gap = match time {
            Some(time) if first => self.leading_gap(time),
            Some(time) => self.gap(time, successor),
            None => 0.0,
        };
        let samples = (gap.abs() * f64::from(rate)).round();
        if gap < 0.0 {
            // What precedes the origin is not presented.
            let early = block.len().min(samples as usize);
            return self.deliver(block.split_at(early).1);
        }
        self.silence(samples as u64)?;
        self.deliver(block)
    }

    /// Seconds from the origin to the first block; negative if it begins before.
    fn leading_gap(&mut self, time: f64) -> f64 {
        if time.abs() <= self.limits.max_gap_s {
            return time;
        }
        self.shift = -time;
        0.0
    }

    /// Seconds of silence before a later block. Updates the shift when the clock broke.
    fn gap(&mut self, time: f64, successor: Option<f64>) -> f64 {
        let position = self.position();
        // The unshifted clock comes first: after one bad stamp the good ones count again.
        for shift in [0.0, self.shift] {
            if (time + shift - position).abs() <= TOLERANCE_S {
                self.shift = shift;
                return 0.0;
            }
        }
        // A stamp that lies beyond its successor's is a glitch.
        if successor.is_some_and(|next| next < time) {
            return 0.0;
        }
        let ahead = time + self.shift - position;
        if ahead > 0.0 && ahead <= self.limits.max_gap_s {
            return ahead;
        }
        self.shift = position - time;
        0.0
    }

    fn start_run(&mut self, rate: u32, stereo: bool) -> Result<(), MediaError> {
        let same = |run: &Run| run.rate == rate && run.stereo == stereo;
        if self.run.as_ref().is_some_and(same) {
            return Ok(());
        }
        if !RATES.contains(&rate) {
            let (low, high) = (RATES.start(), RATES.end());
            let what = format!("a sample rate of {rate} Hz, where {low} to {high} are allowed");
            return Err(MediaError::limit(self.path, what));
        }
        self.end_run()?;
        let resampler = Resampler::new(rate, self.rate, stereo)
            .map_err(|e| MediaError::undecodable(self.path, "audio", e))?;
        self.run_start = self.duration();
        self.run = Some(Run {
            rate,
            stereo,
            resampler,
            samples: 0,
        });
        Ok(())
    }

    fn silence(&mut self, samples: u64) -> Result<(), MediaError> {
        static ZEROS: [f32; BLOCK] = [0.0; BLOCK];
        let mut left = samples;
        while left > 0 && !self.stopped {
            let block = left.min(BLOCK as u64);
            let mid = &ZEROS[..block as usize];
            let stereo = self.run.as_ref().is_some_and(|r| r.stereo);
            let side = if stereo { mid } else { &[] };
            self.deliver(PcmBlock { mid, side })?;
            left -= block;
        }
        Ok(())
    }

    fn deliver(&mut self, samples: PcmBlock<'_>) -> Result<(), MediaError> {
        let (path, watch, limits) = (self.path, self.watch, self.limits);
        let Some(run) = &mut self.run else {
            return Ok(());
        };
        for block in samples.chunks(BLOCK) {
            run.samples += block.len() as u64;
            let out = run
                .resampler
                .push(block)
                .map_err(|e| MediaError::undecodable(path, "audio", e))?;
            self.delivered += out.len() as u64;
            self.stopped = emit(watch, self.sink, out);
            if self.stopped {
                return Ok(());
            }
            limits.check_duration(path, self.delivered as f64 / f64::from(self.rate))?;
        }
        Ok(())
    }

    fn end_run(&mut self) -> Result<(), MediaError> {
        let (path, watch) = (self.path, self.watch);
        let Some(run) = &mut self.run else {
            return Ok(());
        };
        while !self.stopped {
            let rest = run
                .resampler
                .finish()
                .map_err(|e| MediaError::undecodable(path, "audio", e))?;
            if rest.is_empty() {
                break;
            }
            self.delivered += rest.len() as u64;
            self.stopped = emit(watch, self.sink, rest);
        }
        self.run = None;
        Ok(())
    }

    /// Delivers what the resampler still holds. Returns the seconds delivered in all.
    pub(crate) fn finish(&mut self) -> Result<f64, MediaError> {
        self.end_run()?;
        Ok(self.duration())
    }
}

/// Hands samples on; whether the sink has had enough.
fn emit(watch: &Watch, sink: &mut Sink<'_>, samples: PcmBlock<'_>) -> bool {
    !samples.is_empty() && watch.pause(|| sink(samples)) == ControlFlow::Break(())
}
