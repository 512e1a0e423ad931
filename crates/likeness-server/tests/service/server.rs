//! A server process for one test, and the media that all tests share.

use crate::media;
use crate::process::children;
use likeness_server::client::{Client, ClientError};
use likeness_server::proto::{AddOptions, MatchOptions};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tonic_types::StatusExt;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_likeness-server");

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) directory: TempDir,
}

impl Server {
    /// A server with the shared library as "default", an empty one as "other", and `settings`.
    pub(crate) fn start(settings: &[&str]) -> Server {
        let directory = tempfile::tempdir().unwrap();
        copy_directory(&shared("library"), &directory.path().join("library"));
        Server::start_in(directory, settings)
    }

    /// A server whose library is empty.
    pub(crate) fn empty(settings: &[&str]) -> Server {
        Server::start_in(tempfile::tempdir().unwrap(), settings)
    }

    /// A server whose library is empty and that logs all that it can.
    pub(crate) fn talkative(settings: &[&str]) -> Server {
        let directory = tempfile::tempdir().unwrap();
        let mut server = command(directory.path(), "127.0.0.1:0", settings);
        server.env("LIKENESS_LOG", "trace");
        std::fs::create_dir_all(directory.path().join("spool")).unwrap();
        let (child, address) = launch(directory.path(), &mut server);
        Server {
            child,
            address,
            directory,
        }
    }

    /// A server on what another one left.
    pub(crate) fn start_in(directory: TempDir, settings: &[&str]) -> Server {
        let spool = directory.path().join("spool");
        std::fs::create_dir_all(&spool).unwrap();
        let mut server = command(directory.path(), "127.0.0.1:0", settings);
        let (child, address) = launch(directory.path(), &mut server);
        Server {
            child,
            address,
            directory,
        }
    }

    /// A second server on the same port, library and spool.
    pub(crate) fn successor(&self, settings: &[&str]) -> Child {
        let directory = self.directory.path();
        launch(directory, &mut command(directory, &self.address, settings)).0
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap()
    }

    pub(crate) async fn channel(&self) -> Channel {
        self.endpoint().connect().await.unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.endpoint(), None).await.unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Puts another process in this one's place.
    pub(crate) fn replace(&mut self, child: Child) {
        self.child = child;
    }

    /// Kills it, and gives back what it worked in.
    pub(crate) fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let empty = tempfile::tempdir().unwrap();
        std::mem::replace(&mut self.directory, empty)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// The side port's address, as the log tells it.
    pub(crate) fn admin(&self) -> String {
        let log = self.log();
        let line = log
            .lines()
            .find(|l| l.contains("metrics and health"))
            .unwrap();
        let (_, address) = line.split_once("address=").unwrap();
        address.trim().to_owned()
    }

    /// Names of files in the spool.
    pub(crate) fn spooled(&self) -> usize {
        let spool = self.directory.path().join("spool");
        std::fs::read_dir(spool).unwrap().count()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Workers that decode now: children of the server's children, the fork servers.
    pub(crate) fn workers(&self) -> Vec<u32> {
        let fork_servers = children(self.child.id());
        fork_servers.into_iter().flat_map(children).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server's command line.
pub(crate) fn command(directory: &Path, listen: &str, settings: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    let library = |name: &str| directory.join(name).display().to_string();
    command
        .args(["--listen", listen, "--library", &library("library")])
        .args(["--library", &format!("other={}", library("other"))])
        .args(["--set", &format!("spool={}", library("spool"))]);
    for setting in settings {
        command.args(["--set", setting]);
    }
    command
}

fn launch(directory: &Path, server: &mut Command) -> (Child, String) {
    let log = File::options()
        .create(true)
        .append(true)
        .open(directory.join("log"))
        .unwrap();
    let mut child = server.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let log = || std::fs::read_to_string(directory.join("log")).unwrap();
    let address = line.trim().strip_prefix("serving on ");
    let address = address.unwrap_or_else(|| panic!("{line:?} {}", log()));
    (child, address.to_owned())
}

/// A file or directory of the media that all tests share, made at first use: songs `one.mp3`,
/// `two.mp3`, `film.mp4`, all in `library`; `stranger.mp3`, which is not; `copy.mp3`, ten seconds
/// of `two.mp3` from 8 s on.
pub(crate) fn shared(name: &str) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(make_shared).join(name)
}

fn make_shared() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("service");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    for (name, seed) in [("one", 21), ("two", 22), ("stranger", 23)] {
        let wav = directory.join("song.wav");
        media::write_wav(&wav, &media::music(seed, 30.0));
        let to = directory.join(format!("{name}.mp3"));
        media::ffmpeg(&wav, &["-b:a", "128k"], &to);
        std::fs::remove_file(wav).unwrap();
    }
    media::write_film(&directory.join("film.mp4"), 24, 20.0);
    let cut = ["-ss", "8", "-t", "10", "-b:a", "96k"];
    media::ffmpeg(
        &directory.join("two.mp3"),
        &cut,
        &directory.join("copy.mp3"),
    );
    let library = directory.join("library");
    let mut writer = likeness::LibraryWriter::open_or_create(&library).unwrap();
    let inputs = ["one.mp3", "two.mp3", "film.mp4"];
    let inputs = inputs.map(|name| likeness::Input::file(&directory.join(name)));
    let options = likeness::AddOptions::default();
    let added = writer.add(&inputs, &options, &|_| {}).unwrap();
    assert_eq!(added.added, 3);
    directory
}

fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_directory(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// Options for a query in a library.
pub(crate) fn query(library: &str) -> MatchOptions {
    MatchOptions {
        library: library.to_owned(),
        query: "upload.bin".to_owned(),
        ..MatchOptions::default()
    }
}

/// Options for a reference in the default library.
pub(crate) fn named(identifier: &str) -> AddOptions {
    AddOptions {
        identifier: identifier.to_owned(),
        ..AddOptions::default()
    }
}

/// The status and its reason, of a call that must fail.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, ClientError>) -> (Status, String) {
    match result {
        Err(ClientError::Status(status)) => {
            let reason = reason(&status);
            (*status, reason)
        }
        other => panic!("not refused: {other:?}"),
    }
}

/// The reason in a status, for programs.
pub(crate) fn reason(status: &Status) -> String {
    let info = status.get_details_error_info();
    info.map_or_else(String::new, |info| info.reason)
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what} never held");
}
