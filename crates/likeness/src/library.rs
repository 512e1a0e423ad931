//! A library as it was when it was opened: what it holds, and what a query shows of it.

use crate::extract::{Progress, fingerprint_file};
use crate::guard::contain;
use crate::inputs::{Input, path_text};
use crate::matching::{self, MatchOptions};
use crate::source::FingerprintError;
use likeness_core::report::{Match, MatchReport};
use likeness_core::{
    ContentHash, Density, Fingerprint, PostingSpace, ReferenceId, StreamState, Stretches,
};
use likeness_index::{
    Collection, Directory, Entry, Extractors, FileCheck, LibraryError, Place, Stoppable, Store,
    StoreError,
};
use likeness_match::audio::ChromaCache;
use likeness_match::video::{Going, VideoMatchConfig, going};
use likeness_video::VideoConfig;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// The configurations of the extractors that this program has.
pub fn extractors() -> Extractors {
    Extractors {
        audio: likeness_core::audio::EXTRACTOR,
        video: VideoConfig::DEFAULT.hash(),
    }
}

/// What a library knows of a reference.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceInfo {
    /// Number inside this library; never reused.
    pub id: ReferenceId,
    /// Name under which it was added.
    pub identifier: String,
    /// Hash of the media file.
    pub content: ContentHash,
    /// Seconds of the longest analysed stream.
    pub duration: f64,
    /// What became of the sound; bytes of its fingerprint.
    pub audio: StreamState<u64>,
    /// What became of the picture; bytes of its fingerprint.
    pub video: StreamState<u64>,
    /// When it was added, seconds since 1970 (UTC).
    pub added: u64,
}

impl ReferenceInfo {
    /// Whether its sound can be found.
    pub fn has_audio(&self) -> bool {
        self.audio.analysed().is_some()
    }

    /// Whether its picture can be found.
    pub fn has_video(&self) -> bool {
        self.video.analysed().is_some()
    }

    /// Bytes of its fingerprints, postings not counted.
    pub fn bytes(&self) -> u64 {
        self.audio.analysed().unwrap_or(&0) + self.video.analysed().unwrap_or(&0)
    }
}

impl From<&Entry> for ReferenceInfo {
    fn from(entry: &Entry) -> ReferenceInfo {
        ReferenceInfo {
            id: entry.id,
            identifier: entry.identifier.clone(),
            content: entry.content,
            duration: entry.duration,
            audio: entry.audio(),
            video: entry.video(),
            added: entry.added,
        }
    }
}

/// Sums over a library.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stats {
    /// Live references.
    pub references: usize,
    /// Removed references that still take space.
    pub removed: usize,
    /// Seconds of all references.
    pub duration: f64,
    /// Seconds of those whose sound can be found.
    pub audio_duration: f64,
    /// Seconds of those whose picture can be found.
    pub video_duration: f64,
    /// Stored audio landmarks.
    pub audio_postings: u64,
    /// Stored video keypoints.
    pub video_postings: u64,
    /// Bytes of fingerprints of the live references.
    pub fingerprint_bytes: u64,
    /// Bytes of all files.
    pub file_bytes: u64,
    /// Number of files besides the manifest.
    pub files: usize,
    /// Counts the library's states; larger is later.
    pub generation: u64,
    /// Version of the format of its files.
    pub format_version: u32,
}

/// A report, and the query's fingerprint that it was made from; `None` where there is none.
#[derive(Debug)]
pub struct Traced {
    /// What was found.
    pub report: MatchReport,
    /// The query's fingerprint.
    pub fingerprint: Option<Fingerprint>,
}

/// One state of a library, for reading. Changes made meanwhile are not seen, and do no harm.
#[derive(Debug)]
pub struct Library {
    snapshot: Box<dyn Collection>,
    chroma: ChromaCache,
}

impl Library {
    /// Opens a library for matching. Unless it is very large, every byte is checked first, so
    /// that one wrong byte anywhere is an error here and not a wrong answer later.
    ///
    /// # Errors
    /// No library, one of a newer format or of other extractors, damaged or unreadable files.
    pub fn open(directory: &Path) -> Result<Library, LibraryError> {
        Library::open_at(&Directory(directory.to_owned()))
    }

    /// As [`Library::open`], wherever the library is kept.
    ///
    /// # Errors
    /// As of [`Library::open`], and what a store says that cannot be reached.
    pub fn open_at(place: &dyn Place) -> Result<Library, LibraryError> {
        Ok(Library::of(place.open(&extractors())?))
    }

    /// Opens a library to look at what it holds, in milliseconds: only what is used is checked.
    ///
    /// # Errors
    /// As [`Library::open`], damage only where it is met.
    pub fn browse(directory: &Path) -> Result<Library, LibraryError> {
        Library::browse_at(&Directory(directory.to_owned()))
    }

    /// As [`Library::browse`], wherever the library is kept.
    ///
    /// # Errors
    /// As of [`Library::browse`], and what a store says that cannot be reached.
    pub fn browse_at(place: &dyn Place) -> Result<Library, LibraryError> {
        Ok(Library::of(place.browse(&extractors())?))
    }

    fn of(snapshot: Box<dyn Collection>) -> Library {
        Library {
            snapshot,
            chroma: ChromaCache::default(),
        }
    }

    /// Checks every file of a library, and goes on after a damaged one.
    ///
    /// # Errors
    /// No library, or a manifest that cannot be read.
    pub fn verify(directory: &Path) -> Result<Vec<FileCheck>, LibraryError> {
        Directory(directory.to_owned()).verify()
    }

    /// What it holds, in the order in which it was added.
    pub fn references(&self) -> impl Iterator<Item = ReferenceInfo> {
        self.snapshot.entries().map(ReferenceInfo::from)
    }

    /// What of a reference never makes a match, where there is something.
    pub fn excluded(&self, reference: ReferenceId) -> Option<&Stretches> {
        self.snapshot.excluded(reference)
    }

    /// Sums over all references.
    pub fn stats(&self) -> Stats {
        let extent = self.snapshot.extent();
        let postings = |space| {
            let at = PostingSpace::ALL.iter().position(|s| *s == space);
            at.map_or(0, |at| extent.postings[at])
        };
        let mut stats = Stats {
            removed: extent.removed,
            audio_postings: postings(PostingSpace::AudioLandmark),
            video_postings: postings(PostingSpace::VideoKeypoint),
            file_bytes: extent.bytes,
            files: extent.files,
            generation: extent.generation,
            format_version: extent.format_version,
            ..Stats::default()
        };
        for reference in self.references() {
            stats.references += 1;
            stats.duration += reference.duration;
            stats.fingerprint_bytes += reference.bytes();
            if reference.has_audio() {
                stats.audio_duration += reference.duration;
            }
            if reference.has_video() {
                stats.video_duration += reference.duration;
            }
        }
        stats
    }

    /// What a file shows of this library. The report is named by the file's path; whatever goes
    /// wrong becomes a report with an error.
    pub fn match_file(
        &self,
        query: &Input,
        options: &MatchOptions,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> MatchReport {
        self.trace_file(query, options, progress).report
    }

    /// As [`Library::match_file`], and hands out the fingerprint that was looked up, so that what
    /// speaks for the matches can be shown.
    pub fn trace_file(
        &self,
        query: &Input,
        options: &MatchOptions,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Traced {
        let name = path_text(&query.path);
        let traced = contain(|| {
            let extracted =
                fingerprint_file(&query.path, Density::Query, &options.extract, progress)?;
            let report = self.match_fingerprint(&name, &extracted.fingerprint, options);
            let report = match extracted.truncated {
                Some(reason) => matching::truncated(report, format!("{name}: {reason}")),
                None => report,
            };
            let fingerprint = Some(extracted.fingerprint);
            Ok(Traced {
                report,
                fingerprint,
            })
        });
        let path = query.path.clone();
        let traced = traced.unwrap_or(Err(FingerprintError::Fault { path }));
        traced.unwrap_or_else(|error| Traced {
            report: MatchReport::failed(&name, error.code(), error.to_string()),
            fingerprint: None,
        })
    }

    /// What a dense fingerprint shows of this library; `query` names the report.
    pub fn match_fingerprint(
        &self,
        query: &str,
        fingerprint: &Fingerprint,
        options: &MatchOptions,
    ) -> MatchReport {
        self.match_fingerprint_until(query, fingerprint, options, &AtomicBool::new(false))
    }

    /// As [`Library::match_fingerprint`], and gives up, with a report of an error, soon after `stop` is
    /// set.
    pub fn match_fingerprint_until(
        &self,
        query: &str,
        fingerprint: &Fingerprint,
        options: &MatchOptions,
        stop: &AtomicBool,
    ) -> MatchReport {
        let name = |id| {
            let entry = self.snapshot.entry(id)?;
            Some((entry.identifier.as_str(), entry.duration))
        };
        let store = Stoppable {
            store: &*self.snapshot,
            stop,
        };
        let lapses = self.snapshot.lapses();
        let report = matching::report(query, fingerprint, &store, &self.chroma, &name, options);
        match self.snapshot.lapses() == lapses {
            true => report,
            false => matching::partial(report),
        }
    }

    /// Whether a match of picture that is known, whose one segment is in the fingerprint's time, goes on
    /// in it. Costs next to nothing beside looking it up.
    ///
    /// # Errors
    /// Damaged or unreadable files.
    pub fn going(&self, fingerprint: &Fingerprint, known: &Match) -> Result<Going, StoreError> {
        let mut entries = self.snapshot.entries();
        let entry = entries.find(|entry| entry.identifier == known.reference);
        let (Some(entry), Some(film)) = (entry, fingerprint.video.analysed()) else {
            return Ok(Going::Unclear);
        };
        going(
            film,
            entry.id,
            known,
            &*self.snapshot,
            &VideoMatchConfig::default(),
        )
    }

    pub(crate) fn snapshot(&self) -> &dyn Collection {
        &*self.snapshot
    }

    pub(crate) fn chroma(&self) -> &ChromaCache {
        &self.chroma
    }

    /// What matching reads, for programs that match on their own.
    pub fn store(&self) -> &dyn Store {
        &*self.snapshot
    }
}
