//! From the paths that a user names to the files to work on.

use likeness_core::Fingerprint;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use thiserror::Error;
use walkdir::{DirEntry, WalkDir};

/// Extensions of files that are tried when they are found in a directory. Pictures are not among
/// them: a still has no time in which to find a copy.
const MEDIA_EXTENSIONS: &[&str] = &[
    "3g2", "3gp", "aac", "ac3", "adts", "aif", "aifc", "aiff", "alac", "amr", "ape", "asf", "au",
    "avi", "caf", "divx", "dts", "dv", "eac3", "f4v", "flac", "flv", "gif", "h264", "h265", "hevc",
    "ivf", "m1v", "m2t", "m2ts", "m2v", "m4a", "m4b", "m4r", "m4v", "mka", "mkv", "mov", "mp1",
    "mp2", "mp3", "mp4", "mpa", "mpc", "mpe", "mpeg", "mpg", "mpv", "mts", "mxf", "nut", "oga",
    "ogg", "ogm", "ogv", "ogx", "opus", "qt", "ra", "rm", "rmvb", "snd", "spx", "tak", "tta", "ts",
    "vob", "w64", "wav", "wave", "webm", "wma", "wmv", "wtv", "wv", "y4m",
];

/// A file to work on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The file.
    pub path: PathBuf,
    /// Its name in a library: its path relative to the directory named, with `/` between the
    /// parts, or its file name.
    pub identifier: String,
    /// Whether the file itself was named, not a directory above it.
    pub named: bool,
}

impl Input {
    /// A file that was named by itself.
    pub fn file(path: &Path) -> Input {
        Input {
            path: path.to_owned(),
            identifier: file_name(path),
            named: true,
        }
    }

    /// A file of a list that was made elsewhere: its whole path is its name.
    pub fn listed(path: PathBuf) -> Input {
        Input {
            identifier: relative_name(Path::new(""), &path),
            path,
            named: true,
        }
    }
}

/// Why a path that a user named leads to no files.
#[derive(Debug, Error)]
pub enum InputError {
    /// Nothing lies at the path.
    #[error("{}: no such file or directory", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// A file or directory that could not be looked at.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A directory in which nothing looks like media.
    #[error("{}: no media files in this directory", path.display())]
    NoMedia {
        /// The directory.
        path: PathBuf,
    },
}

impl InputError {
    /// The path that the error is about.
    pub fn path(&self) -> &Path {
        match self {
            InputError::Missing { path }
            | InputError::Unreadable { path, .. }
            | InputError::NoMedia { path } => path,
        }
    }

    /// A stable word for reports and programs.
    pub fn code(&self) -> &'static str {
        match self {
            InputError::Missing { .. } => "not_found",
            InputError::Unreadable { .. } => "unreadable",
            InputError::NoMedia { .. } => "no_media",
        }
    }
}

/// What a list of paths leads to.
#[derive(Debug, Default)]
pub struct Collected {
    /// Files, in the order of the paths and sorted inside each directory; none twice.
    pub inputs: Vec<Input>,
    /// What could not be looked at.
    pub errors: Vec<InputError>,
    /// What lies in directories and does not look like media, or is no file, and was left out.
    pub ignored: usize,
}

/// The files that `paths` lead to. Files are taken as they are; directories are searched
/// recursively for files with a media extension and for fingerprint files. Symbolic links to
/// files are followed, links to directories are not.
pub fn collect_inputs(paths: &[PathBuf]) -> Collected {
    let mut collected = Collected::default();
    for path in paths {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => collect_directory(path, &mut collected),
            Ok(_) => collected.inputs.push(Input::file(path)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                collected
                    .errors
                    .push(InputError::Missing { path: path.clone() });
            }
            Err(source) => collected.errors.push(InputError::Unreadable {
                path: path.clone(),
                source,
            }),
        }
    }
    let mut seen = HashSet::new();
    collected
        .inputs
        .retain(|input| seen.insert((input.path.clone(), input.identifier.clone())));
    collected
}

fn collect_directory(root: &Path, collected: &mut Collected) {
    let (inputs, errors) = (collected.inputs.len(), collected.errors.len());
    for entry in WalkDir::new(root).sort_by_file_name() {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {}
            // Somebody meant it to be there.
            Ok(entry) if leads_nowhere(&entry) && has_media_extension(entry.path()) => {
                collected.errors.push(InputError::Missing {
                    path: entry.into_path(),
                });
            }
            // Pipes, devices, links to directories.
            Ok(entry) if !is_file(&entry) => collected.ignored += 1,
            Ok(entry) if looks_like_media(&entry) => collected.inputs.push(Input {
                identifier: relative_name(root, entry.path()),
                path: entry.into_path(),
                named: false,
            }),
            Ok(_) => collected.ignored += 1,
            Err(error) => collected.errors.push(InputError::Unreadable {
                path: error.path().unwrap_or(root).to_owned(),
                source: error.into(),
            }),
        }
    }
    if collected.inputs.len() == inputs && collected.errors.len() == errors {
        collected.errors.push(InputError::NoMedia {
            path: root.to_owned(),
        });
    }
}

fn is_file(entry: &DirEntry) -> bool {
    let kind = entry.file_type();
    kind.is_file() || kind.is_symlink() && fs::metadata(entry.path()).is_ok_and(|m| m.is_file())
}

/// Whether it is a link to what does not exist, or to itself.
fn leads_nowhere(entry: &DirEntry) -> bool {
    entry.file_type().is_symlink() && fs::metadata(entry.path()).is_err()
}

fn looks_like_media(entry: &DirEntry) -> bool {
    // "._song.mp3" is where macOS keeps a file's attributes on foreign disks.
    if entry.file_name().as_encoded_bytes().starts_with(b"._") {
        return false;
    }
    has_media_extension(entry.path()) || is_fingerprint(entry.path())
}

fn has_media_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    let known = |e: &str| {
        MEDIA_EXTENSIONS
            .iter()
            .any(|media| e.eq_ignore_ascii_case(media))
    };
    extension.is_some_and(known)
}

/// Whether a file starts as a fingerprint file does.
fn is_fingerprint(path: &Path) -> bool {
    let mut start = [0; likeness_core::fingerprint::MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && Fingerprint::recognise(&start)
}

fn relative_name(root: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let parts = relative.components().filter_map(|part| match part {
        Component::Normal(name) => Some(text(name)),
        _ => None,
    });
    parts.collect::<Vec<_>>().join("/")
}

fn file_name(path: &Path) -> String {
    text(path.file_name().unwrap_or(path.as_os_str()))
}

/// A path as text, by which reports name a query. Bytes that are no UTF-8 become `\xNN`, so that
/// different files have different names.
pub fn path_text(path: &Path) -> String {
    text(path.as_os_str())
}

fn text(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn touch(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"x").unwrap();
    }

    fn names(collected: &Collected) -> Vec<&str> {
        collected
            .inputs
            .iter()
            .map(|i| i.identifier.as_str())
            .collect()
    }

    #[test]
    fn directories_are_searched_and_files_taken() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for name in [
            "d/b.MP3",
            "d/sub/a.mkv",
            "d/notes.txt",
            "d/._b.mp3",
            "odd.xyz",
        ] {
            touch(&at(name));
        }
        fs::write(at("d/c.print"), b"LIKENESS and more").unwrap();
        symlink(at("odd.xyz"), at("d/link.wav")).unwrap();
        symlink(at("d"), at("d/sub/loop")).unwrap();
        symlink(at("nowhere"), at("d/dangling.mp3")).unwrap();
        let collected = collect_inputs(&[at("d"), at("odd.xyz"), at("odd.xyz")]);
        let want = ["b.MP3", "c.print", "link.wav", "sub/a.mkv", "odd.xyz"];
        assert_eq!(names(&collected), want);
        assert_eq!(collected.ignored, 3);
        let paths: Vec<&Path> = collected.errors.iter().map(InputError::path).collect();
        assert_eq!(paths, [at("d/dangling.mp3")]);
        assert!(!collected.inputs[0].named && collected.inputs[4].named);
    }

    #[test]
    fn names_that_are_not_utf8_stay_apart() {
        use std::os::unix::ffi::OsStrExt;
        let root = tempfile::tempdir().unwrap();
        for name in [&b"z\xfe.wav"[..], b"z\xff.wav", "z\u{fffd}.wav".as_bytes()] {
            touch(&root.path().join(OsStr::from_bytes(name)));
        }
        let collected = collect_inputs(&[root.path().to_owned()]);
        let mut found = names(&collected);
        found.sort_unstable();
        assert_eq!(found, ["z\\xfe.wav", "z\\xff.wav", "z\u{fffd}.wav"]);
    }

    #[test]
    fn what_leads_nowhere_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        touch(&root.path().join("notes.txt"));
        let check = |path: PathBuf, code: &str| {
            let collected = collect_inputs(&[path]);
            assert!(collected.inputs.is_empty());
            assert_eq!(collected.errors[0].code(), code);
        };
        check(root.path().to_owned(), "no_media");
        check(root.path().join("missing.mp3"), "not_found");
    }
}
