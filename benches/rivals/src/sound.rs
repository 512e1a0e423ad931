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

/// Fingerprints of files, several at a time.
pub(crate) fn fingerprints<F: Send>(
    paths: &[PathBuf],
    one: impl Fn(&Path) -> Result<F> + Sync,
) -> Result<Vec<F>> {
    paths.par_iter().map(|path| one(path)).collect()
}
