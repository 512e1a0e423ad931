//! A directory of its own for each test, and the program run in it.

use crate::media;
use likeness_core::report::MatchReport;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use tempfile::TempDir;

/// What a run of the program gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Ran {
        Ran {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts the exit status.
    #[track_caller]
    pub(crate) fn ends_in(self, status: i32) -> Ran {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    /// Asserts that one line on standard error has all these `words`.
    #[track_caller]
    pub(crate) fn complains(self, words: &[&str]) -> Ran {
        let told = |line: &str| words.iter().all(|word| line.contains(word));
        assert!(self.stderr.lines().any(told), "{words:?} in {self:#?}");
        self
    }

    /// The JSON lines on standard output, each checked against the contract.
    #[track_caller]
    pub(crate) fn reports(&self) -> Vec<MatchReport> {
        let schema = include_str!("../../../../contract/match-report.schema.json");
        let contract = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
        let parse = |line: &str| {
            let value = serde_json::from_str(line).unwrap();
            if let Err(error) = contract.validate(&value) {
                panic!("{error}: {line}");
            }
            serde_json::from_value(value).unwrap()
        };
        self.stdout.lines().map(parse).collect()
    }
}

/// A directory in which `likeness` runs, with a library of its own.
pub(crate) struct Sandbox {
    directory: TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Sandbox {
        Sandbox {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// With a library of the shared references.
    pub(crate) fn with_library() -> Sandbox {
        let sandbox = Sandbox::new();
        copy_directory(&shared("library"), &sandbox.path("library"));
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Puts a copy of a shared file here.
    pub(crate) fn copy(&self, from: &str, to: &str) -> PathBuf {
        self.write(to, &std::fs::read(shared(from)).unwrap())
    }

    /// The program, to be run here.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("likeness"));
        command
            .args(args)
            .current_dir(self.directory.path())
            .env("LIKENESS_LIBRARY", self.path("library"))
            .env_remove("LIKENESS_LOG");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// Runs a script of `bash` that has the program as `$0` and `args` as its arguments.
    pub(crate) fn shell(&self, script: &str, args: &[&str]) -> Ran {
        let program = self.command(args);
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(script).arg(program.get_program());
        shell.args(program.get_args()).current_dir(self.path(""));
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        Ran::of(shell.output().unwrap())
    }

    /// Identifiers of the library's references.
    pub(crate) fn listed(&self) -> Vec<String> {
        let list = self.run(&["list", "--format", "jsonl"]).ends_in(0);
        let identifier = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["identifier"].as_str().unwrap().to_owned()
        };
        list.stdout.lines().map(identifier).collect()
    }
}

/// Seconds of a shared reference.
pub(crate) const LENGTH: f64 = 30.0;

/// A file or directory of the media that all tests share, made at first use:
/// `references/{one,two,three}.mp3`, `references/film/{alpha,beta}.mp4`, `both.mp4` (alpha's
/// picture with two's sound), two works in no library, `stranger.mp3` and `stranger.mp4`, and
/// `library`, which holds the references.
pub(crate) fn shared(name: &str) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(make_shared).join(name)
}

fn make_shared() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("media");
    std::fs::create_dir_all(directory.join("references/film")).unwrap();
    let song = |name: &str, seed| {
        let wav = directory.join("song.wav");
        media::write_wav(&wav, &media::music(seed, LENGTH));
        media::ffmpeg(&wav, &["-b:a", "128k"], &directory.join(name));
        std::fs::remove_file(wav).unwrap();
    };
    song("references/one.mp3", 1);
    song("references/two.mp3", 2);
    song("references/three.mp3", 3);
    song("stranger.mp3", 4);
    media::write_film(&directory.join("references/film/alpha.mp4"), 11, LENGTH);
    media::write_film(&directory.join("references/film/beta.mp4"), 12, LENGTH);
    media::write_film(&directory.join("stranger.mp4"), 13, 15.0);
    let sound = directory.join("references/two.mp3");
    media::ffmpeg(
        &directory.join("references/film/alpha.mp4"),
        &[
            "-i",
            sound.to_str().unwrap(),
            "-c:v",
            "copy",
            "-c:a",
            "aac",
            "-shortest",
        ],
        &directory.join("both.mp4"),
    );
    let _ = std::fs::remove_dir_all(directory.join("library"));
    let add = Command::new(assert_cmd::cargo::cargo_bin!("likeness"))
        .args(["add", "--library", "library", "references"])
        .current_dir(&directory)
        .output()
        .unwrap();
    Ran::of(add).ends_in(0);
    directory
}

fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        match path.is_dir() {
            true => copy_directory(&path, &to),
            false => drop(std::fs::copy(path, to).unwrap()),
        }
    }
}
