//! How far a batch is, on standard error: bars on a terminal, plain lines otherwise.

use crate::text;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use likeness::path_text;
use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often plain lines say how far a batch is while no file gets finished.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// The overall bar's steps: it shows a share, not a count.
const BAR_STEPS: u64 = 1000;

/// Progress of a batch of files, which are known by their index in it. Shared by all threads.
pub(crate) struct Progress {
    view: View,
    began: Instant,
    state: Mutex<State>,
}

enum View {
    Silent,
    Lines,
    Bars(ProgressBar),
}

/// All bars on the terminal. There is but one standard error, and logs must know of it too.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

struct State {
    files: Vec<File>,
    finished: usize,
    finished_bytes: u64,
    /// Seconds of media in finished files.
    finished_seconds: f64,
    running: HashMap<usize, Running>,
    last_line: Instant,
}

struct File {
    name: String,
    /// Bytes, at least 1: the measure of work known beforehand.
    size: u64,
}

struct Running {
    /// Seconds of media in all, if the file tells.
    duration: Option<f64>,
    /// Seconds of media done.
    done: f64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Progress of work on `paths`; says nothing when `quiet`.
    pub(crate) fn new<'a>(paths: impl Iterator<Item = &'a Path>, quiet: bool) -> Progress {
        let file = |path: &Path| File {
            name: text::printable(&path_text(path)).into_owned(),
            size: path.metadata().map_or(1, |metadata| metadata.len().max(1)),
        };
        Progress::of(paths.map(file).collect(), quiet)
    }

    fn of(files: Vec<File>, quiet: bool) -> Progress {
        let view = if quiet {
            View::Silent
        } else if std::io::stderr().is_terminal() {
            View::Bars(total_bar())
        } else {
            View::Lines
        };
        let began = Instant::now();
        Progress {
            view,
            began,
            state: Mutex::new(State {
                files,
                finished: 0,
                finished_bytes: 0,
                finished_seconds: 0.0,
                running: HashMap::new(),
                last_line: began,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `seconds` of a file's media are done, of `duration` if the file tells.
    pub(crate) fn advance(&self, index: usize, seconds: f64, duration: Option<f64>) {
        let mut state = self.state();
        let state = &mut *state;
        let file = state.running.entry(index).or_insert_with(|| Running {
            duration,
            done: 0.0,
            bar: self.file_bar(&state.files[index].name, duration),
        });
        // Sound and picture are read side by side, each at its own pace.
        file.done = file.done.max(seconds);
        if let Some(bar) = &file.bar {
            bar.set_position((file.done * 1000.0) as u64);
            bar.set_message(text::time(file.done));
        }
        self.show(state);
    }

    /// Work on a file ended, with `outcome` in a few words; it need not have been started.
    pub(crate) fn finish(&self, index: usize, outcome: &str) {
        let mut state = self.state();
        state.finished += 1;
        state.finished_bytes += state.files[index].size;
        if let Some(file) = state.running.remove(&index) {
            state.finished_seconds += file.duration.unwrap_or(file.done);
            if let Some(bar) = &file.bar {
                bar.finish_and_clear();
            }
        }
        if let View::Lines = self.view {
            let (done, all) = (state.finished, state.files.len());
            eprintln!("[{done}/{all}] {}: {outcome}", state.files[index].name);
            state.last_line = Instant::now();
        }
        self.show(&mut state);
    }

    /// The batch is over: removes the bars and sums up.
    pub(crate) fn close(&self, summary: &str) {
        if let View::Bars(total) = &self.view {
            total.finish_and_clear();
        }
        if matches!(self.view, View::Silent) {
            return;
        }
        let state = self.state();
        let elapsed = self.began.elapsed().as_secs_f64();
        let seconds = state.finished_seconds;
        eprint!("{summary}");
        if seconds > 0.0 {
            let (media, took) = (text::time(seconds), text::time(elapsed));
            let pace = seconds / elapsed.max(1e-3);
            eprint!("; {media} of media in {took}, {pace:.1}x real time");
        }
        eprintln!();
    }

    fn show(&self, state: &mut State) {
        match &self.view {
            View::Silent => {}
            View::Bars(total) => {
                total.set_position((state.share() * BAR_STEPS as f64) as u64);
                total.set_message(self.status(state));
            }
            View::Lines => {
                if state.last_line.elapsed() >= LINE_INTERVAL {
                    state.last_line = Instant::now();
                    eprintln!("{}", self.status(state));
                }
            }
        }
    }

    fn file_bar(&self, name: &str, duration: Option<f64>) -> Option<ProgressBar> {
        let View::Bars(total) = &self.view else {
            return None;
        };
        let bar = match duration {
            Some(seconds) => ProgressBar::new((seconds * 1000.0) as u64),
            None => ProgressBar::no_length(),
        };
        let bar = BARS.insert_before(total, bar);
        bar.set_style(style("{bar:30} {msg:>8}  {prefix}"));
        bar.set_prefix(name.to_owned());
        Some(bar)
    }

    /// "3/40 files, 25.3x real time, 1:20 left".
    fn status(&self, state: &State) -> String {
        let elapsed = self.began.elapsed().as_secs_f64();
        let pace = state.seconds() / elapsed.max(1e-3);
        let mut status = format!(
            "{}/{} files, {pace:.1}x real time",
            state.finished,
            state.files.len()
        );
        let share = state.share();
        if share > 0.0 && elapsed > 1.0 {
            let left = elapsed * (1.0 - share) / share;
            status += &format!(", {} left", text::whole_time(left));
        }
        status
    }
}

impl State {
    /// Seconds of media done.
    fn seconds(&self) -> f64 {
        self.finished_seconds + self.running.values().map(|file| file.done).sum::<f64>()
    }

    /// Share of the work done, 0..=1, by bytes.
    fn share(&self) -> f64 {
        let running: f64 = self
            .running
            .iter()
            .map(|(index, file)| {
                let size = self.files[*index].size as f64;
                let share = file.duration.map_or(0.0, |all| file.done / all.max(1e-3));
                size * share.min(1.0)
            })
            .sum();
        let all: u64 = self.files.iter().map(|file| file.size).sum();
        ((self.finished_bytes as f64 + running) / all.max(1) as f64).min(1.0)
    }
}

fn total_bar() -> ProgressBar {
    let bar = BARS.add(ProgressBar::new(BAR_STEPS));
    bar.set_style(style("{bar:30} {percent:>3} %  {msg}"));
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━╌")
}

/// Writes to standard output or error without tearing the bars.
pub(crate) fn beside_bars<T>(write: impl FnOnce() -> T) -> T {
    BARS.suspend(write)
}

/// Standard error for log lines, beside the bars.
pub(crate) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        beside_bars(|| std::io::stderr().write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(sizes: &[u64]) -> Progress {
        let file = |&size: &u64| File {
            name: size.to_string(),
            size,
        };
        Progress::of(sizes.iter().map(file).collect(), true)
    }

    #[test]
    fn the_share_counts_bytes_of_finished_and_running_files() {
        let progress = progress(&[100, 300, 1]);
        progress.advance(0, 9.5, Some(10.0));
        progress.advance(1, 20.0, Some(60.0));
        progress.finish(0, "done");
        progress.advance(1, 5.0, Some(60.0));
        let state = progress.state();
        assert!((state.share() - 200.0 / 401.0).abs() < 1e-9);
        assert!((state.seconds() - 30.0).abs() < 1e-9);
        assert!(progress.status(&state).starts_with("1/3 files"));
    }

    #[test]
    fn files_of_unknown_length_count_when_finished() {
        let progress = progress(&[100, 50, 50]);
        progress.advance(0, 50.0, None);
        assert_eq!(progress.state().share(), 0.0);
        progress.finish(0, "done");
        assert_eq!(progress.state().share(), 0.5);
        progress.finish(1, "never started");
        assert_eq!(progress.state().share(), 0.75);
    }
}
