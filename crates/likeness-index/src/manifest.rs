//! The manifest: names the live files. Swapping it is what publishes a change.

use crate::checksum::Seal;
use crate::durable::{self, damaged, io_error, replace};
use crate::error::LibraryError;
use likeness_core::Stretches;
use likeness_core::wire::{Reader, WireError, Writer};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Version of the library format that this crate writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 4;
/// The first version with exclusions. A library that has none is written as the version before, so
/// that older programs go on reading it.
const WITH_EXCLUSIONS: u32 = 4;

const MAGIC: [u8; 8] = *b"LIKELIB\n";
/// Most bytes of a manifest that is read: enough for fifty million dead references.
const MAX_BYTES: u64 = 1 << 28;
/// Least bytes of an encoded run: number, references, data, tail, hash.
const MIN_RUN: usize = 1 + 1 + 1 + 1 + 32;

/// Hashes of the extractors' configurations. One library holds fingerprints of one pair, since
/// others cannot be compared with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extractors {
    /// The audio extractor's.
    pub audio: u64,
    /// The video extractor's.
    pub video: u64,
}

/// A live run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunInfo {
    /// Number of the file; never reused.
    pub(crate) number: u64,
    /// Catalogue entries in it, dead ones too.
    pub(crate) references: u64,
    /// Checks the file.
    pub(crate) seal: Seal,
}

/// One state of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Counts the states.
    pub(crate) generation: u64,
    /// What made the fingerprints.
    pub(crate) extractors: Extractors,
    /// Number of the next reference.
    pub(crate) next_reference: u32,
    /// Number of the next run.
    pub(crate) next_run: u64,
    /// Live runs; each one's references come after those of the run before.
    pub(crate) runs: Vec<RunInfo>,
    /// References in live runs that are dead, ascending.
    pub(crate) tombstones: Vec<u32>,
    /// What of live references never makes a match, where there is something.
    pub(crate) exclusions: BTreeMap<u32, Stretches>,
}

/// The manifest's place in a library.
pub(crate) fn manifest_path(library: &Path) -> PathBuf {
    library.join("manifest")
}

/// Where a new manifest is written before it takes the old one's place.
pub(crate) fn temporary_path(library: &Path) -> PathBuf {
    library.join("manifest.tmp")
}

/// The directory of the runs.
pub(crate) fn runs_path(library: &Path) -> PathBuf {
    library.join("runs")
}

/// The file of run `number`.
pub(crate) fn run_path(library: &Path, number: u64) -> PathBuf {
    runs_path(library).join(format!("{number:08}.run"))
}

impl Manifest {
    /// The manifest of an empty library.
    pub(crate) fn new(extractors: Extractors) -> Manifest {
        Manifest {
            generation: 0,
            extractors,
            next_reference: 0,
            next_run: 0,
            runs: Vec::new(),
            tombstones: Vec::new(),
            exclusions: BTreeMap::new(),
        }
    }

    /// Reads a library's manifest.
    pub(crate) fn read(library: &Path) -> Result<Manifest, LibraryError> {
        let path = library.to_owned();
        match fs::metadata(library) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(match library.is_symlink() {
                    true => io_error(library, io::Error::other("this link leads nowhere")).into(),
                    false => LibraryError::Missing { path },
                });
            }
            Err(e) => return Err(io_error(library, e).into()),
            Ok(metadata) if !metadata.is_dir() => return Err(LibraryError::NotADirectory { path }),
            Ok(_) => {}
        }
        let file = manifest_path(library);
        let bytes = match durable::read(&file, MAX_BYTES) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(match is_unborn(library) {
                    true => LibraryError::Missing { path },
                    false => LibraryError::NotALibrary { path },
                });
            }
            other => other.map_err(|e| io_error(&file, e))?,
        };
        match Manifest::decode(&bytes) {
            Ok(manifest) => Ok(manifest),
            Err(WireError::NewerVersion { found, supported }) => Err(LibraryError::NewerVersion {
                path: file,
                found,
                supported,
            }),
            Err(e) => Err(damaged(&file, e).into()),
        }
    }

    /// Makes this the library's state, durably.
    pub(crate) fn publish(&self, library: &Path) -> Result<(), LibraryError> {
        replace(
            &manifest_path(library),
            &temporary_path(library),
            &self.encode(),
        )?;
        Ok(())
    }

    /// Refuses a library whose fingerprints this program's extractors could not have made.
    pub(crate) fn expect(
        &self,
        library: &Path,
        extractors: &Extractors,
    ) -> Result<(), LibraryError> {
        let other = |media| {
            Err(LibraryError::OtherExtractor {
                path: library.to_owned(),
                media,
            })
        };
        if self.extractors.audio != extractors.audio {
            return other("audio");
        }
        if self.extractors.video != extractors.video {
            return other("video");
        }
        Ok(())
    }

    /// Whether a reference is dead.
    pub(crate) fn is_dead(&self, reference: u32) -> bool {
        self.tombstones.binary_search(&reference).is_ok()
    }

    /// The version of the format in which this is written.
    pub(crate) fn version(&self) -> u32 {
        match self.exclusions.is_empty() {
            true => WITH_EXCLUSIONS - 1,
            false => FORMAT_VERSION,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(&MAGIC);
        w.u32(self.version());
        w.u64(self.extractors.audio);
        w.u64(self.extractors.video);
        w.varint(self.generation);
        w.varint(self.next_reference.into());
        w.varint(self.next_run);
        w.varint(self.runs.len() as u64);
        for run in &self.runs {
            w.varint(run.number);
            w.varint(run.references);
            w.varint(run.seal.data);
            w.varint(run.seal.tail);
            w.bytes(&run.seal.hash);
        }
        w.varint(self.tombstones.len() as u64);
        let mut before = 0;
        for &dead in &self.tombstones {
            w.varint((dead - before).into());
            before = dead;
        }
        if !self.exclusions.is_empty() {
            encode_exclusions(&mut w, &self.exclusions);
        }
        let mut bytes = w.into_bytes();
        let checksum = blake3::hash(&bytes);
        bytes.extend_from_slice(checksum.as_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Manifest, WireError> {
        let mut r = Reader::new(bytes);
        if r.bytes(MAGIC.len())? != MAGIC {
            return Err(WireError::OutOfRange("the mark at its start"));
        }
        // Before the checksum: a newer format may keep it elsewhere.
        let version = r.u32()?;
        if version > FORMAT_VERSION {
            return Err(WireError::NewerVersion {
                found: version,
                supported: FORMAT_VERSION,
            });
        }
        if version == 0 {
            return Err(WireError::OutOfRange("format version"));
        }
        let (body, checksum) = bytes.split_last_chunk::<32>().ok_or(WireError::Truncated)?;
        if blake3::hash(body) != *checksum {
            return Err(WireError::Checksum);
        }
        let body = body.get(MAGIC.len() + 4..).ok_or(WireError::Truncated)?;
        decode_body(body, version)
    }
}

/// Whether a directory holds at most what a writer makes before its first manifest. Runs it makes
/// later: where there are some, a manifest was lost, or they are somebody else's.
fn is_unborn(library: &Path) -> bool {
    let Ok(files) = fs::read_dir(library) else {
        return false;
    };
    let ours = ["runs", "lock", "manifest.tmp"];
    let mut names = files.map(|file| file.map(|f| f.file_name()));
    let runs = fs::read_dir(runs_path(library));
    names.all(|name| name.is_ok_and(|name| ours.iter().any(|own| name == *own)))
        && runs.map_or(true, |mut runs| runs.next().is_none())
}

fn decode_body(bytes: &[u8], version: u32) -> Result<Manifest, WireError> {
    let mut r = Reader::new(bytes);
    let extractors = Extractors {
        audio: r.u64()?,
        video: r.u64()?,
    };
    let generation = r.varint()?;
    if generation == u64::MAX {
        return Err(WireError::OutOfRange("generation"));
    }
    let next_reference = small(r.varint()?, "number of the next reference")?;
    let next_run = r.varint()?;
    let runs = (0..r.count(MIN_RUN, "number of runs")?)
        .map(|_| decode_run(&mut r))
        .collect::<Result<_, _>>()?;
    let tombstones = decode_tombstones(&mut r)?;
    let exclusions = match version >= WITH_EXCLUSIONS {
        true => decode_exclusions(&mut r)?,
        false => BTreeMap::new(),
    };
    r.finish()?;
    Ok(Manifest {
        generation,
        extractors,
        next_reference,
        next_run,
        runs,
        tombstones,
        exclusions,
    })
}

fn decode_run(r: &mut Reader<'_>) -> Result<RunInfo, WireError> {
    Ok(RunInfo {
        number: r.varint()?,
        references: r.varint()?,
        seal: Seal {
            data: r.varint()?,
            tail: r.varint()?,
            hash: hash(r)?,
        },
    })
}

fn decode_tombstones(r: &mut Reader<'_>) -> Result<Vec<u32>, WireError> {
    let count = r.count(1, "number of dead references")?;
    let mut dead = 0u64;
    (0..count)
        .map(|_| {
            dead = dead
                .checked_add(r.varint()?)
                .ok_or(WireError::OutOfRange("dead reference"))?;
            small(dead, "dead reference")
        })
        .collect()
}

fn encode_exclusions(w: &mut Writer, exclusions: &BTreeMap<u32, Stretches>) {
    w.varint(exclusions.len() as u64);
    for (&reference, stretches) in exclusions {
        w.varint(reference.into());
        stretches.encode(w);
    }
}

fn decode_exclusions(r: &mut Reader<'_>) -> Result<BTreeMap<u32, Stretches>, WireError> {
    let mut exclusions = BTreeMap::new();
    for _ in 0..r.count(4, "number of exclusions")? {
        let reference = small(r.varint()?, "excluded reference")?;
        let stretches = Stretches::decode(r)?;
        let ascends = exclusions
            .last_key_value()
            .is_none_or(|(last, _)| *last < reference);
        if !ascends || stretches.is_empty() {
            return Err(WireError::OutOfRange("exclusion"));
        }
        exclusions.insert(reference, stretches);
    }
    Ok(exclusions)
}

fn small(value: u64, what: &'static str) -> Result<u32, WireError> {
    u32::try_from(value).map_err(|_| WireError::OutOfRange(what))
}

fn hash(r: &mut Reader<'_>) -> Result<[u8; 32], WireError> {
    let mut hash = [0; 32];
    hash.copy_from_slice(r.bytes(32)?);
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Manifest {
        Manifest {
            generation: 3,
            extractors: Extractors { audio: 1, video: 2 },
            next_reference: 900,
            next_run: 300,
            runs: vec![RunInfo {
                number: 299,
                references: 4,
                seal: Seal {
                    data: 70_000,
                    tail: 100,
                    hash: [9; 32],
                },
            }],
            tombstones: vec![0, 3, 800],
            exclusions: BTreeMap::new(),
        }
    }

    fn excluding() -> Manifest {
        let mut manifest = sample();
        for (reference, start) in [(1, 0.0), (700, 12.5)] {
            let mut stretches = Stretches::default();
            stretches.insert(start, start + 10.0);
            stretches.insert(90.0, 100.0);
            manifest.exclusions.insert(reference, stretches);
        }
        manifest
    }

    #[test]
    fn round_trip() {
        for manifest in [sample(), excluding()] {
            assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest));
        }
    }

    #[test]
    fn only_exclusions_need_the_newest_version() {
        let version = |manifest: &Manifest| manifest.encode()[MAGIC.len()];
        assert_eq!(version(&sample()), 3);
        assert_eq!(version(&excluding()), 4);
    }

    #[test]
    fn manifests_of_earlier_versions_are_read() {
        // As version 3 wrote it: two references added, each in a run, and the first removed.
        let golden = include_bytes!("../tests/data/manifest-3");
        let manifest = Manifest::decode(golden).unwrap();
        assert_eq!((manifest.generation, manifest.next_reference), (3, 2));
        assert_eq!((manifest.runs.len(), manifest.tombstones), (2, vec![0]));
        assert!(manifest.exclusions.is_empty());
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_refused() {
        let bytes = excluding().encode();
        for i in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[i] ^= 0x20;
            assert!(Manifest::decode(&damaged).is_err(), "byte {i}");
            assert!(Manifest::decode(&bytes[..i]).is_err(), "cut at {i}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for version in [3, FORMAT_VERSION] {
                let _ = decode_body(&bytes, version);
            }
        }
    }
}
