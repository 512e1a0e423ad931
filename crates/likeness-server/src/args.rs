//! The command line of `likeness serve`.

use crate::settings::{Layer, Settings, SettingsError};
use std::path::PathBuf;

/// How the service is started. Flags override the environment, which overrides the file.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Args {
    /// A file of settings.
    #[arg(short, long, value_name = "FILE", env = "LIKENESS_SERVE_CONFIG")]
    pub config: Option<PathBuf>,
    /// A library's directory or store, with the name that requests use; "default" if none is given.
    #[arg(short, long = "library", alias = "store", value_name = "[NAME=]DIR")]
    #[arg(env = "LIKENESS_LIBRARY", hide_env_values = true)]
    pub libraries: Vec<String>,
    /// Where to serve gRPC.
    #[arg(long, value_name = "ADDRESS:PORT", env = "LIKENESS_SERVE_LISTEN")]
    pub listen: Option<String>,
    /// Where to serve metrics and health over HTTP.
    #[arg(long, value_name = "ADDRESS:PORT", env = "LIKENESS_SERVE_ADMIN_LISTEN")]
    pub admin_listen: Option<String>,
    /// Any other setting, as `limits.queue=16`.
    #[arg(long, value_name = "KEY=VALUE")]
    #[arg(env = "LIKENESS_SERVE_SET", value_delimiter = ';')]
    pub set: Vec<String>,
    /// Check the settings and the libraries, and end.
    #[arg(long)]
    pub check: bool,
    /// Ask the service that runs with these settings whether it is ready, at its side port, and end.
    #[arg(long, conflicts_with = "check")]
    pub probe: bool,
    /// Read a token from standard input, print its hash for the settings, and end.
    #[arg(long, conflicts_with_all = ["check", "probe"])]
    pub hash_token: bool,
}

impl Args {
    /// The settings that the file, the environment and the flags make together.
    pub(crate) fn settings(&self) -> Result<Settings, SettingsError> {
        let mut layers = Vec::new();
        if let Some(path) = &self.config {
            layers.push(Layer::file(path)?);
        }
        for library in &self.libraries {
            let (name, directory) = match library.split_once('=') {
                // Not the first of an address's own.
                Some((name, place)) if !name.contains('/') => (name, place),
                _ => ("default", library.as_str()),
            };
            let quoted = toml::Value::String(directory.to_owned());
            let assignment = format!("libraries.{name}={quoted}");
            layers.push(Layer::assignment("--library", &assignment)?);
        }
        let addresses = [
            ("--listen", "listen", &self.listen),
            ("--admin-listen", "admin_listen", &self.admin_listen),
        ];
        for (flag, key, address) in addresses {
            if let Some(address) = address {
                layers.push(Layer::assignment(flag, &format!("{key}={address}"))?);
            }
        }
        // An empty variable sets nothing.
        for assignment in self.set.iter().filter(|a| !a.trim().is_empty()) {
            layers.push(Layer::assignment("--set", assignment)?);
        }
        Settings::join(layers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn flags_override_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("likeness.toml");
        let text = "listen = '127.0.0.1:1'\n[libraries]\nfilm = '/f'\n[limits]\nqueue = 5\n";
        std::fs::write(&config, text).unwrap();
        let args = Args {
            config: Some(config),
            libraries: ["/d", "song=/s=t", "far=store://h/d?a=b", "store://h/d?a=c"]
                .map(str::to_owned)
                .into(),
            listen: Some("127.0.0.1:2".to_owned()),
            set: vec!["limits.decodes=7".to_owned()],
            ..Args::default()
        };
        let settings = args.settings().unwrap();
        assert_eq!(settings.listen.port(), 2);
        assert_eq!((settings.limits.queue, settings.limits.decodes), (5, 7));
        let libraries: Vec<_> = settings
            .libraries
            .iter()
            .map(|(name, path)| (name.as_str(), path.as_path()))
            .collect();
        let want = [
            ("default", "store://h/d?a=c"),
            ("far", "store://h/d?a=b"),
            ("film", "/f"),
            ("song", "/s=t"),
        ];
        assert_eq!(libraries, want.map(|(name, path)| (name, Path::new(path))));
    }
}
