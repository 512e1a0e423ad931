//! `fetch`: gets the corpus by package name through the ordinary clients of the registries.
//!
//! A package is downloaded into a temporary directory, unpacked, searched for the manifest's files by
//! size and SHA-256, and thrown away. What is there already is not fetched again.

use crate::corpus::Work;
use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A package in one registry, and the works wanted from it.
struct Package<'a> {
    registry: &'a str,
    name: &'a str,
    version: &'a str,
    works: Vec<&'a Work>,
}

/// What became of a fetch, in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fetched {
    /// There before.
    pub(crate) present: usize,
    pub(crate) fetched: usize,
    /// Not in the package any more, or the package is gone.
    pub(crate) missing: usize,
}

/// Fetches `works` into `media`, at most `limit` packages. A package that fails is reported and does
/// not stop the others.
pub(crate) fn fetch(works: &[&Work], media: &Path, limit: usize) -> Result<Fetched> {
    fs::create_dir_all(media).with_context(|| format!("creating {}", media.display()))?;
    let mut outcome = Fetched::default();
    let mut packages: Vec<Package<'_>> = packages(works, media, &mut outcome);
    // Small ones first: much is there soon.
    packages.sort_by_key(|package| package.works.iter().map(|w| w.bytes).sum::<u64>());
    packages.truncate(limit);
    let count = packages.len();
    for (index, package) in packages.iter().enumerate() {
        let found = get(package, media);
        let label = format!(
            "[{}/{count}] {} {}",
            index + 1,
            package.name,
            package.version
        );
        match found {
            Ok(found) => {
                eprintln!("{label}: {found} of {} files", package.works.len());
                outcome.fetched += found;
                outcome.missing += package.works.len() - found;
            }
            Err(error) => {
                eprintln!("{label}: {error:#}");
                outcome.missing += package.works.len();
            }
        }
    }
    Ok(outcome)
}

/// Groups what is not there yet by package.
fn packages<'a>(works: &[&'a Work], media: &Path, outcome: &mut Fetched) -> Vec<Package<'a>> {
    let mut packages: BTreeMap<(&str, &str, &str), Vec<&Work>> = BTreeMap::new();
    for work in works {
        let size = fs::metadata(work.path(media)).map(|metadata| metadata.len());
        if size.is_ok_and(|size| size == work.bytes) {
            outcome.present += 1;
            continue;
        }
        let key = (
            work.registry.as_str(),
            work.package.as_str(),
            work.version.as_str(),
        );
        packages.entry(key).or_default().push(work);
    }
    let package = |((registry, name, version), works)| Package {
        registry,
        name,
        version,
        works,
    };
    packages.into_iter().map(package).collect()
}

/// Downloads and unpacks one package; returns how many of its works were found.
fn get(package: &Package<'_>, media: &Path) -> Result<usize> {
    let scratch = tempfile::Builder::new()
        .prefix(".fetch-")
        .tempdir_in(media)
        .context("creating a temporary directory")?;
    let (downloads, unpacked) = (
        scratch.path().join("downloads"),
        scratch.path().join("files"),
    );
    fs::create_dir_all(&downloads)?;
    fs::create_dir_all(&unpacked)?;
    download(package, media, &downloads)?;
    for file in files(&downloads) {
        if has_extension(&file, &["deb"]) {
            let target: &Path = &unpacked;
            run(Command::new("dpkg-deb").arg("-x").arg(&file).arg(target))?;
        } else {
            let name = file.file_name().context("a download without a name")?;
            fs::rename(&file, unpacked.join(name))?;
        }
    }
    let mut left = package.works.clone();
    take(&mut left, &unpacked, media)?;
    // Archives inside archives, while something is missing.
    for _ in 0..3 {
        if left.is_empty() || !unpack_archives(&unpacked)? {
            break;
        }
        take(&mut left, &unpacked, media)?;
    }
    Ok(package.works.len() - left.len())
}

fn download(package: &Package<'_>, media: &Path, folder: &Path) -> Result<()> {
    let Package {
        registry,
        name,
        version,
        ..
    } = package;
    match registry.split_once(' ').unwrap_or((registry, "")) {
        ("apt", suite) => {
            let apt = Apt::prepare(media, suite)?;
            let pinned = apt
                .command(folder)
                .arg("download")
                .arg(format!("{name}={version}"))
                .output();
            if pinned.is_ok_and(|output| output.status.success()) {
                return Ok(());
            }
            // A suite moves on; the checksums tell whether the newer package will do.
            run(apt.command(folder).args(["download", name]))
        }
        ("apt-source", suite) => {
            let apt = Apt::prepare(media, suite)?;
            run(apt
                .command(folder)
                .args(["source", "--download-only", "--tar-only", name]))
        }
        ("npm", _) => run(Command::new("npm")
            .args(["pack", "--silent", &format!("{name}@{version}")])
            .current_dir(folder)),
        ("pip", _) => run(Command::new("python3")
            .args([
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                &format!("{name}=={version}"),
            ])
            .current_dir(folder)),
        (other, _) => bail!("no client for registry {other}"),
    }
}

/// A configuration of apt of its own for one suite, so that the system's is never touched.
struct Apt {
    root: PathBuf,
}

impl Apt {
    fn prepare(media: &Path, suite: &str) -> Result<Apt> {
        let root = fs::canonicalize(media)?.join(format!(".apt-{suite}"));
        let apt = Apt { root };
        let done = apt.root.join("updated");
        if done.exists() {
            return Ok(apt);
        }
        for folder in ["etc", "state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(apt.root.join(folder))?;
        }
        fs::write(apt.root.join("status"), "")?;
        let repository = repository()?;
        let keyring = "signed-by=/usr/share/keyrings/debian-archive-keyring.gpg";
        let mut sources = String::new();
        for kind in ["deb", "deb-src"] {
            let _ = writeln!(
                sources,
                "{kind} [{keyring}] {repository} {suite} main contrib"
            );
        }
        fs::write(apt.root.join("sources.list"), sources)?;
        run(apt.command(&apt.root).arg("update"))?;
        fs::write(done, "")?;
        Ok(apt)
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new("apt-get");
        let at = |name: &str| self.root.join(name).display().to_string();
        for option in [
            format!("Dir::Etc={}", at("etc")),
            format!("Dir::Etc::SourceList={}", at("sources.list")),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            format!("Dir::State={}", at("state")),
            format!("Dir::State::status={}", at("status")),
            format!("Dir::Cache={}", at("cache")),
            "Acquire::Languages=none".to_owned(),
            // The sandbox user cannot write into a temporary directory of ours.
            "APT::Sandbox::User=root".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command.arg("-q").current_dir(folder);
        command
    }
}

/// Where the system itself gets its packages from.
fn repository() -> Result<String> {
    let output = Command::new("apt-get")
        .args([
            "indextargets",
            "--format",
            "$(REPO_URI) $(CODENAME) $(COMPONENT)",
        ])
        .output()
        .context("running apt-get")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let main = text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (uri, suite, component) = (words.next()?, words.next()?, words.next()?);
        // Not its updates or security suites, which hold only a few packages.
        (component == "main" && !suite.contains('-')).then(|| uri.to_owned())
    });
    main.context("apt knows no repository: run `apt-get update` first")
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("running {name}"))?;
    let reason = String::from_utf8_lossy(&output.stderr);
    let reason = reason.lines().last().unwrap_or("");
    ensure!(output.status.success(), "{name} failed: {reason}");
    Ok(())
}

/// Moves the works that are under `folder` to where they belong.
fn take(left: &mut Vec<&Work>, folder: &Path, media: &Path) -> Result<()> {
    for file in files(folder) {
        let size = fs::metadata(&file)?.len();
        if !left.iter().any(|work| work.bytes == size) {
            continue;
        }
        let digest = sha256(&file)?;
        let (here, others): (Vec<&Work>, Vec<&Work>) =
            left.iter().partition(|work| work.sha256 == digest);
        for work in here {
            let target = work.path(media);
            fs::create_dir_all(target.parent().unwrap_or(media))?;
            // Complete under its name, or not there.
            let part = target.with_extension("part");
            fs::copy(&file, &part).with_context(|| format!("writing {}", part.display()))?;
            fs::rename(&part, &target)?;
        }
        *left = others;
    }
    Ok(())
}

/// Unpacks every archive under `folder` in place; false when there was none.
fn unpack_archives(folder: &Path) -> Result<bool> {
    let mut any = false;
    for file in files(folder) {
        let mut target = file.clone().into_os_string();
        target.push(".unpacked");
        let target = PathBuf::from(target);
        let done = if has_extension(&file, &["zip", "whl", "pk3"]) {
            run(Command::new("python3")
                .args(["-m", "zipfile", "-e"])
                .arg(&file)
                .arg(&target))
        } else if has_extension(&file, &["tar", "tgz", "gz", "xz", "bz2"]) {
            fs::create_dir_all(&target)?;
            run(Command::new("tar")
                .arg("-xf")
                .arg(&file)
                .arg("-C")
                .arg(&target))
        } else {
            continue;
        };
        // A single compressed file is no archive; what is wanted may lie elsewhere.
        any |= done.is_ok();
        fs::remove_file(&file)?;
    }
    Ok(any)
}

fn has_extension(file: &Path, extensions: &[&str]) -> bool {
    let extension = file.extension().and_then(|e| e.to_str()).unwrap_or("");
    extensions
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

/// Regular files under a folder; links are not followed, for a package is no friend.
fn files(folder: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect()
}

/// Lower-case hexadecimal SHA-256 of a file.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    let what = || format!("reading {}", path.display());
    let mut file = fs::File::open(path).with_context(what)?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut block).with_context(what)?;
        if read == 0 {
            break;
        }
        hash.update(&block[..read]);
    }
    Ok(hash
        .finalize()
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::{Kind, Role, Split};

    fn work(file: &str, content: &[u8]) -> Work {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        fs::write(&path, content).expect("written");
        Work {
            kind: Kind::Music,
            package: "p".to_owned(),
            version: "1".to_owned(),
            registry: "nowhere".to_owned(),
            file: file.to_owned(),
            class: String::new(),
            same_work_group: String::new(),
            licence: String::new(),
            duration_s: None,
            width: None,
            height: None,
            bytes: content.len() as u64,
            sha256: sha256(&path).expect("hashed"),
            split: Split::Dev,
            role: Role::Reference,
            own: None,
        }
    }

    #[test]
    fn files_are_taken_by_checksum_also_out_of_nested_archives() {
        let media = tempfile::tempdir().expect("a folder");
        let package = tempfile::tempdir().expect("a folder");
        let (wanted, nested) = (work("a/b.ogg", b"music"), work("c.ogg", b"other"));
        fs::write(package.path().join("renamed"), b"music").expect("written");
        // Of the right size, but not it.
        fs::write(package.path().join("b.ogg"), b"noise").expect("written");
        fs::write(package.path().join("c.ogg"), b"other").expect("written");
        run(Command::new("tar")
            .args(["-cf", "x.tar", "c.ogg"])
            .current_dir(package.path()))
        .expect("packed");
        fs::remove_file(package.path().join("c.ogg")).expect("removed");

        let mut left = vec![&wanted, &nested];
        take(&mut left, package.path(), media.path()).expect("taken");
        assert_eq!(left, [&nested]);
        assert!(unpack_archives(package.path()).expect("unpacked"));
        take(&mut left, package.path(), media.path()).expect("taken");
        assert!(left.is_empty());
        assert_eq!(
            fs::read(wanted.path(media.path())).expect("there"),
            b"music"
        );
    }

    #[test]
    fn what_is_there_is_not_fetched_and_a_bad_package_is_reported() {
        let media = tempfile::tempdir().expect("a folder");
        let (there, gone) = (work("a.ogg", b"music"), work("b.ogg", b"other"));
        fs::create_dir_all(there.path(media.path()).parent().expect("a parent")).expect("made");
        fs::write(there.path(media.path()), b"music").expect("written");
        let outcome = fetch(&[&there, &gone], media.path(), usize::MAX).expect("fetched");
        assert_eq!(
            outcome,
            Fetched {
                present: 1,
                fetched: 0,
                missing: 1
            }
        );
    }
}
