//! Sound decoded by FFmpeg's program, the same for every rival that takes samples.

use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Mono samples of a file at `rate` in FFmpeg's raw `format`, as bytes.
pub(crate) fn decode(path: &Path, rate: u32, format: &str) -> Result<Vec<u8>> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-threads", "1", "-i"]);
    command.arg(path).args(["-vn", "-ac", "1", "-ar"]);
    command.args([&rate.to_string(), "-f", format, "-"]);
    Ok(output(&mut command, path)?.stdout)
}

/// Runs a program on a file and waits for it.
pub(crate) fn output(command: &mut Command, path: &Path) -> Result<Output> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {command:?}"))?;
    ensure!(
        output.status.success(),
        "{}: {}",
        path.display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(output)
}

/// A program's own words about its version.
pub(crate) fn first_line(program: &str, flag: &str) -> Result<String> {
    let output = output(Command::new(program).arg(flag), Path::new(program))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Fingerprints of files, several at a time; tells what CPU time they took, decoding included.
pub(crate) fn fingerprints<F: Send>(
    paths: &[PathBuf],
    one: impl Fn(&Path) -> Result<F> + Sync,
) -> Result<Vec<F>> {
    let start = cpu_seconds();
    let prints = paths.par_iter().map(|path| one(path)).collect();
    let taken = cpu_seconds() - start;
    eprintln!("  {} files fingerprinted in {taken:.1} s CPU", paths.len());
    prints
}

/// CPU seconds of this process and of all programs that it has waited for; 0 where the system does not
/// tell.
pub(crate) fn cpu_seconds() -> f64 {
    // Ticks are hundredths of a second on every Linux that Rust runs on.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold spaces: count from behind it.
    let fields = stat.rsplit(')').next().unwrap_or("").split_whitespace();
    let own_and_children = fields.skip(11).take(4);
    own_and_children
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>()
        / TICKS
}

/// CPU seconds of `ffmpeg -i FILE -f null -` on one thread for all files: the floor under every rival.
pub(crate) fn decoding(paths: &[PathBuf]) -> Result<f64> {
    let start = cpu_seconds();
    paths.par_iter().try_for_each(|path| {
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-threads", "1", "-i"]);
        command.arg(path).args(["-threads", "1", "-f", "null", "-"]);
        output(&mut command, path).map(drop)
    })?;
    Ok(cpu_seconds() - start)
}
