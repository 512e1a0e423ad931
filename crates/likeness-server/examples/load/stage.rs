//! The library, the queries and the server of a measurement.

use likeness::{AddOptions, Input, Library, LibraryWriter, collect_inputs};
use likeness_server::client::Client;
use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tonic::transport::Endpoint;

/// Shortest reference, seconds: a live stream shows 20 s of it.
const SHORTEST: f64 = 40.0;
/// Longest, so that the library is soon made.
const LONGEST: f64 = 400.0;
/// Largest file.
const LARGEST: u64 = 12 << 20;
const SOUND: [&str; 6] = ["flac", "mp3", "ogg", "opus", "wav", "m4a"];
const FILM: [&str; 5] = ["mp4", "webm", "mkv", "ogv", "mov"];

/// A reference.
pub(crate) struct Work {
    pub(crate) path: PathBuf,
    pub(crate) identifier: String,
}

/// What all measurements need.
pub(crate) struct Stage {
    pub(crate) directory: TempDir,
    pub(crate) songs: Vec<Work>,
    pub(crate) films: Vec<Work>,
    program: PathBuf,
}

impl Stage {
    /// Takes references from `media`.
    pub(crate) fn set(media: &Path, songs: usize, films: usize, program: Option<PathBuf>) -> Stage {
        let directory = tempfile::tempdir().unwrap();
        let mut inputs = collect_inputs(&[media.to_owned()]).inputs;
        // An order that has nothing to do with names, so that collections are mixed.
        inputs.sort_by_key(|input| *blake3::hash(input.identifier.as_bytes()).as_bytes());
        let songs: Vec<Input> = fit(&inputs, &SOUND).take(songs).cloned().collect();
        // One of each collection, whose films are often made alike or parts of one.
        let mut collections = HashSet::new();
        let films: Vec<Input> = fit(&inputs, &FILM)
            .filter(|film| collections.insert(film.identifier.split('/').nth(1)))
            .take(films)
            .cloned()
            .collect();
        let both: Vec<Input> = [songs.as_slice(), &films].concat();
        let library = directory.path().join("library");
        let mut writer = LibraryWriter::open_or_create(&library).unwrap();
        writer.add(&both, &AddOptions::default(), &|_| {}).unwrap();
        drop(writer);
        let added = Library::open(&library).unwrap();
        let kept: Vec<String> = added.references().map(|r| r.identifier).collect();
        let works = |inputs: Vec<Input>| {
            let kept = inputs.into_iter().filter(|i| kept.contains(&i.identifier));
            kept.map(|input| Work {
                path: input.path,
                identifier: input.identifier,
            })
            .collect()
        };
        Stage {
            songs: works(songs),
            films: works(films),
            directory,
            program: program.unwrap_or_else(beside_this),
        }
    }

    pub(crate) fn library(&self) -> Library {
        Library::open(&self.directory.path().join("library")).unwrap()
    }

    /// 15 s of each work, encoded anew.
    pub(crate) fn queries(&self, works: &[Work]) -> Vec<PathBuf> {
        let cut = |(n, work): (usize, &Work)| {
            let film = is_one_of(&work.path, &FILM);
            let to = self.directory.path().join(match film {
                true => format!("query{n}.mp4"),
                false => format!("query{n}.mp3"),
            });
            let encode: &[&str] = match film {
                true => &["-vf", "scale=-2:360", "-c:v", "libx264", "-preset", "fast"],
                false => &["-vn", "-b:a", "128k"],
            };
            let cut = ["-ss", "12", "-t", "15"];
            ffmpeg(&work.path, &[&cut, encode].concat(), &to);
            to
        };
        works.iter().enumerate().map(cut).collect()
    }

    pub(crate) fn serve(&self) -> Server {
        Server::start(&self.program, self.directory.path())
    }
}

fn beside_this() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let release = this.parent().and_then(Path::parent).unwrap();
    release.join("likeness-server")
}

fn is_one_of(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| endings.contains(&ending.to_lowercase().as_str()))
}

/// Files of such an ending that are neither too small nor too large.
fn fit<'a>(inputs: &'a [Input], endings: &'a [&str]) -> impl Iterator<Item = &'a Input> {
    inputs.iter().filter(move |input| {
        let small = std::fs::metadata(&input.path).is_ok_and(|file| file.len() < LARGEST);
        small
            && is_one_of(&input.path, endings)
            && (SHORTEST..LONGEST).contains(&seconds(&input.path))
    })
}

/// Seconds of a file, as its header tells; 0 where it does not.
fn seconds(path: &Path) -> f64 {
    let told = Command::new("ffprobe")
        .args([
            "-v",
            "quiet",
            "-show_entries",
            "format=duration",
            "-of",
            "csv=p=0",
        ])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&told.stdout);
    text.trim().parse().unwrap_or(0.0)
}

pub(crate) fn ffmpeg(from: &Path, options: &[&str], to: &Path) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y", "-i"])
        .arg(from)
        .args(options)
        .arg(to)
        .status()
        .unwrap();
    assert!(status.success(), "ffmpeg {from:?} {options:?}");
}

/// A server process; killed when dropped.
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(program: &Path, directory: &Path) -> Server {
        let mut child = Command::new(program)
            .args(["--listen", "127.0.0.1:0", "--library"])
            .arg(directory.join("library"))
            .env("LIKENESS_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        told.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("serving on ").unwrap().to_owned();
        Server { child, address }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) async fn client(&self) -> Client {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address));
        Client::connect(endpoint.unwrap(), None).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
