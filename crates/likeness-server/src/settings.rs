//! What the service is told: flags over environment over file over defaults.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use toml::{Table, Value};

/// Why the settings cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is written, in the file or elsewhere, is not understood.
    #[error("{origin}: {reason}")]
    Invalid {
        /// The file, flag or variable.
        origin: String,
        /// What is wrong.
        reason: String,
    },
}

impl SettingsError {
    fn invalid(origin: impl Into<String>, reason: impl ToString) -> SettingsError {
        SettingsError::Invalid {
            origin: origin.into(),
            reason: reason.to_string().trim_end().to_owned(),
        }
    }
}

/// Everything that can be set. `deploy/likeness.toml` explains each value.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) admin_listen: Option<SocketAddr>,
    pub(crate) spool: PathBuf,
    pub(crate) log_format: LogFormat,
    pub(crate) drain_s: f64,
    pub(crate) libraries: BTreeMap<String, PathBuf>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) tls: Option<Tls>,
    pub(crate) limits: Limits,
    pub(crate) worker: Worker,
    pub(crate) live: Live,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 7310)),
            admin_listen: None,
            spool: std::env::temp_dir(),
            log_format: LogFormat::Text,
            drain_s: 30.0,
            libraries: BTreeMap::new(),
            tokens: Vec::new(),
            tls: None,
            limits: Limits::default(),
            worker: Worker::default(),
            live: Live::default(),
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// A bearer token, known by its hash only.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    /// For logs.
    pub(crate) name: String,
    pub(crate) role: Role,
    /// BLAKE3 of the token, hexadecimal.
    pub(crate) hash: String,
}

/// What a caller may do; the later may all that the earlier may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Read,
    Write,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) client_ca: Option<PathBuf>,
}

/// What callers may cost, together and each.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) message_mib: usize,
    pub(crate) upload_mib: u64,
    pub(crate) spool_mib: u64,
    pub(crate) connections: usize,
    pub(crate) streams_per_connection: u32,
    pub(crate) requests: usize,
    pub(crate) live_streams: usize,
    pub(crate) decodes: usize,
    pub(crate) matches: usize,
    pub(crate) queue: usize,
    pub(crate) retry_s: f64,
    pub(crate) request_s: f64,
    pub(crate) idle_s: f64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message_mib: 4,
            upload_mib: 2048,
            spool_mib: 8192,
            connections: 1024,
            streams_per_connection: 128,
            requests: 256,
            live_streams: 16,
            decodes: 0,
            matches: 0,
            queue: 64,
            retry_s: 2.0,
            request_s: 900.0,
            idle_s: 30.0,
        }
    }
}

/// What one decode may cost.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Worker {
    pub(crate) memory_mib: u64,
    pub(crate) cpu_s: u64,
    pub(crate) wall_s: f64,
    pub(crate) media_s: f64,
    pub(crate) pixels: u64,
    pub(crate) frames: u64,
    pub(crate) result_mib: u64,
    pub(crate) require_sandbox: bool,
    pub(crate) command: Vec<String>,
}

impl Default for Worker {
    fn default() -> Worker {
        Worker {
            memory_mib: 2048,
            cpu_s: 600,
            wall_s: 600.0,
            media_s: 4.0 * 3600.0,
            pixels: 4096 * 4096,
            frames: 4 * 3600 * 120,
            result_mib: 512,
            require_sandbox: false,
            command: Vec::new(),
        }
    }
}

/// How live streams are matched.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Live {
    pub(crate) window_s: f64,
    pub(crate) recent_s: f64,
    pub(crate) hop_s: f64,
    pub(crate) quiet_s: f64,
    pub(crate) idle_s: f64,
    pub(crate) cpu_s: u64,
}

impl Default for Live {
    fn default() -> Live {
        Live {
            window_s: 12.0,
            recent_s: 5.0,
            hop_s: 1.0,
            quiet_s: 2.5,
            idle_s: 60.0,
            cpu_s: 43_200,
        }
    }
}

/// Settings of one source, and its name for error messages.
pub(crate) struct Layer {
    pub(crate) origin: String,
    pub(crate) table: Table,
}

impl Layer {
    /// A file's.
    pub(crate) fn file(path: &Path) -> Result<Layer, SettingsError> {
        let origin = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let table = text
            .parse()
            .map_err(|e: toml::de::Error| SettingsError::invalid(&origin, e))?;
        Ok(Layer { origin, table })
    }

    /// One value, as `section.key=value`; what is no TOML value is taken for a string.
    pub(crate) fn assignment(origin: &str, assignment: &str) -> Result<Layer, SettingsError> {
        let origin = format!("{origin} {assignment}");
        let Some((key, value)) = assignment.split_once('=') else {
            return Err(SettingsError::invalid(origin, "not of the form KEY=VALUE"));
        };
        let value = value.trim();
        let literal = format!("v = {value}").parse::<Table>().ok();
        let literal = literal.and_then(|mut table| table.remove("v"));
        let mut value = literal.unwrap_or_else(|| Value::String(value.to_owned()));
        let mut parts: Vec<&str> = key.trim().split('.').collect();
        let first = parts.remove(0).to_owned();
        for part in parts.into_iter().rev() {
            value = Value::Table(Table::from_iter([(part.to_owned(), value)]));
        }
        let table = Table::from_iter([(first, value)]);
        Ok(Layer { origin, table })
    }
}

impl Settings {
    /// Joins layers, later ones over earlier ones, over the defaults.
    pub(crate) fn join(layers: Vec<Layer>) -> Result<Settings, SettingsError> {
        let mut all = Table::new();
        let mut origins = Vec::new();
        for layer in layers {
            merge(&mut all, layer.table);
            origins.push(layer.origin);
            // At once, so that the message names the layer that is wrong.
            let parsed: Result<Settings, _> = Value::Table(all.clone()).try_into();
            parsed.map_err(|e| SettingsError::invalid(origins.join(", "), e))?;
        }
        let settings: Result<Settings, _> = Value::Table(all).try_into();
        let mut settings = settings.map_err(|e| SettingsError::invalid("settings", e))?;
        if settings.libraries.is_empty() {
            let path = PathBuf::from("./likeness-library");
            settings.libraries.insert("default".to_owned(), path);
        }
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsError> {
        self.check_seconds()?;
        self.check_counts()?;
        let (limits, live) = (&self.limits, &self.live);
        let refuse = |key: &str, reason: &str| Err(SettingsError::invalid(key, reason));
        if limits.spool_mib < limits.upload_mib {
            return refuse("limits.spool_mib", "must be at least limits.upload_mib");
        }
        if live.window_s < 2.0 * live.hop_s {
            return refuse("live.window_s", "must be at least twice live.hop_s");
        }
        if live.window_s < live.recent_s {
            return refuse("live.window_s", "must be at least live.recent_s");
        }
        if self.admin_listen == Some(self.listen) && self.listen.port() != 0 {
            return refuse("admin_listen", "must not be the address of `listen`");
        }
        if self.libraries.keys().any(String::is_empty) {
            return refuse("libraries", "a library's name must not be empty");
        }
        Ok(())
    }

    /// Times, each within bounds beyond which it is a slip of the pen.
    fn check_seconds(&self) -> Result<(), SettingsError> {
        let (limits, worker, live) = (&self.limits, &self.worker, &self.live);
        const WEEK: f64 = 7.0 * 86_400.0;
        for (key, seconds, least, most) in [
            ("drain_s", self.drain_s, 0.01, 86_400.0),
            ("limits.retry_s", limits.retry_s, 0.01, 3600.0),
            ("limits.request_s", limits.request_s, 0.01, WEEK),
            ("limits.idle_s", limits.idle_s, 0.01, 3600.0),
            ("worker.wall_s", worker.wall_s, 0.1, WEEK),
            ("worker.media_s", worker.media_s, 1.0, WEEK),
            ("live.window_s", live.window_s, 1.0, 300.0),
            ("live.recent_s", live.recent_s, 1.0, 300.0),
            ("live.hop_s", live.hop_s, 0.1, 60.0),
            ("live.quiet_s", live.quiet_s, 0.1, 3600.0),
            ("live.idle_s", live.idle_s, 0.1, WEEK),
        ] {
            // Also refuses what is no number.
            if !(least..=most).contains(&seconds) {
                let reason = format!("{seconds} is not {least} to {most} seconds");
                return Err(SettingsError::invalid(key, reason));
            }
        }
        Ok(())
    }

    /// Numbers, likewise.
    fn check_counts(&self) -> Result<(), SettingsError> {
        let (limits, worker) = (&self.limits, &self.worker);
        const TIB: u64 = 1 << 20;
        const WEEK: u64 = 7 * 86_400;
        let streams = u64::from(limits.streams_per_connection);
        for (key, count, least, most) in [
            ("limits.message_mib", limits.message_mib as u64, 1, 1024),
            ("limits.upload_mib", limits.upload_mib, 1, TIB),
            ("limits.spool_mib", limits.spool_mib, 1, 64 * TIB),
            ("limits.connections", limits.connections as u64, 1, 1 << 20),
            ("limits.streams_per_connection", streams, 1, 1 << 16),
            ("limits.requests", limits.requests as u64, 1, 1 << 16),
            (
                "limits.live_streams",
                limits.live_streams as u64,
                0,
                1 << 12,
            ),
            ("limits.decodes", limits.decodes as u64, 0, 1 << 12),
            ("limits.matches", limits.matches as u64, 0, 1 << 12),
            ("limits.queue", limits.queue as u64, 0, 1 << 16),
            // With less no worker gets to its input.
            ("worker.memory_mib", worker.memory_mib, 32, TIB),
            ("worker.cpu_s", worker.cpu_s, 1, WEEK),
            ("worker.pixels", worker.pixels, 1 << 10, 1 << 31),
            ("worker.frames", worker.frames, 1, 1 << 32),
            ("worker.result_mib", worker.result_mib, 1, 1 << 14),
            ("live.cpu_s", self.live.cpu_s, 1, 52 * WEEK),
        ] {
            if !(least..=most).contains(&count) {
                let reason = format!("{count} is not {least} to {most}");
                return Err(SettingsError::invalid(key, reason));
            }
        }
        Ok(())
    }
}

impl Limits {
    /// Decodes at a time.
    pub(crate) fn decodes(&self) -> usize {
        or_processors(self.decodes)
    }

    /// Look-ups at a time.
    pub(crate) fn matches(&self) -> usize {
        or_processors(self.matches)
    }
}

fn or_processors(n: usize) -> usize {
    match n {
        0 => std::thread::available_parallelism().map_or(1, NonZero::get),
        n => n,
    }
}

/// Seconds that were checked to be sensible.
pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(assignment: &str) -> Layer {
        Layer::assignment("--set", assignment).unwrap()
    }

    #[test]
    fn later_layers_win() {
        let layers = ["limits.queue=1", "limits.decodes=3", "limits.queue=2"];
        let settings = Settings::join(layers.map(layer).into()).unwrap();
        assert_eq!((settings.limits.queue, settings.limits.decodes), (2, 3));
        assert_eq!(settings.limits.requests, Limits::default().requests);
    }

    #[test]
    fn values_are_toml_or_strings() {
        let check = |assignment: &str, want: Value| {
            assert_eq!(layer(assignment).table["a"], want);
        };
        check("a=1", Value::Integer(1));
        check("a = true", Value::Boolean(true));
        check("a=[1]", Value::Array(vec![Value::Integer(1)]));
        check("a=127.0.0.1:1", Value::String("127.0.0.1:1".to_owned()));
        check(
            "a.b=/x",
            Value::Table(Table::from_iter([("b".to_owned(), "/x".into())])),
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |assignment: &str, names: &str| {
            let error = Settings::join(vec![layer(assignment)]).unwrap_err();
            assert!(error.to_string().contains(names), "{error}");
        };
        check("limits.queu=1", "queu");
        check("limits.queue=-1", "limits.queue=-1");
        check("worker.wall_s=0", "worker.wall_s");
        check("worker.wall_s=nan", "worker.wall_s");
        check("worker.memory_mib=0", "worker.memory_mib");
        check("worker.memory_mib=1", "worker.memory_mib");
        check("worker.pixels=1", "worker.pixels");
        check("limits.decodes=100000000", "limits.decodes");
        check("limits.upload_mib=9000", "limits.spool_mib");
        check("limits.streams_per_connection=0", "streams_per_connection");
        check("live.hop_s=0.001", "live.hop_s");
        check("live.recent_s=13", "live.recent_s");
        check("live.window_s=1", "live.window_s");
        check("listen=nowhere", "listen");
        check("admin_listen=127.0.0.1:7310", "admin_listen");
        assert!(Layer::assignment("--set", "limits").is_err());
    }

    #[test]
    fn the_example_file_holds_the_defaults() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/likeness.toml");
        let example = Settings::join(vec![Layer::file(&path).unwrap()]).unwrap();
        let defaults = Settings::join(Vec::new()).unwrap();
        assert_eq!(format!("{example:?}"), format!("{defaults:?}"));
    }
}
