//! Changing a library: adding many files side by side, removing, compacting.

use crate::extract::{ExtractOptions, Progress};
use crate::guard::contain;
use crate::inputs::Input;
use crate::library::extractors;
use crate::source::{FingerprintError, Source, hash_file};
use likeness_core::{
    ContentHash, Density, Fingerprint, Posting, ReferenceId, StreamState, Stretches,
};
use likeness_index::{
    Directory, Editor, Entry, LibraryError, NewReference, Place, SPACES, StoreError,
};
use likeness_video::MotionCurve;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::{BTreeMap, HashMap};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// Most references in one commit.
const MAX_GROUP: usize = 32;
/// Most files that are done and wait for one that came before them: more would take memory, and be
/// lost if the program were killed.
const MAX_WAITING: usize = 32;

/// How files are added.
#[derive(Debug, Clone, Default)]
pub struct AddOptions {
    /// Files worked on at a time, and threads used; 0 means one per processor.
    pub jobs: usize,
    /// What is extracted.
    pub extract: ExtractOptions,
    /// Add what could be decoded of a file that breaks off.
    pub allow_truncated: bool,
}

/// What happens to a file. `input` is its index among the inputs.
#[derive(Debug)]
pub enum AddEvent<'a> {
    /// Work begins; `duration` in seconds, if the file tells.
    Started {
        /// The file.
        input: usize,
        /// Seconds of media.
        duration: Option<f64>,
    },
    /// Some media are done.
    Progress {
        /// The file.
        input: usize,
        /// Seconds of media done.
        seconds: f64,
    },
    /// It is in the library, durably.
    Added {
        /// The file.
        input: usize,
        /// Seconds of the longest analysed stream.
        duration: f64,
        /// Whether it took the place of other content under its name.
        replaced: bool,
    },
    /// Its content is in the library already.
    AlreadyThere {
        /// The file.
        input: usize,
        /// Under which name.
        identifier: &'a str,
    },
    /// It was found in a directory and is nothing to add.
    Skipped {
        /// The file.
        input: usize,
        /// Why.
        reason: &'a str,
    },
    /// It could not be added.
    Failed {
        /// The file.
        input: usize,
        /// Why; names the file.
        error: &'a AddError,
    },
}

/// Why a file could not be added. Every message names the file.
#[derive(Debug, Error)]
pub enum AddError {
    /// It could not be fingerprinted.
    #[error(transparent)]
    Fingerprint(#[from] FingerprintError),
    /// A picture without time.
    #[error("{}: a still image; only moving pictures and sound can be found", path.display())]
    StillImage {
        /// The file.
        path: PathBuf,
    },
    /// It breaks off.
    #[error("{}: {reason}; not added", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// Neither its sound nor its picture can be found again.
    #[error("{}: nothing to find it by: sound {audio}, picture {video}", path.display())]
    Nothing {
        /// The file.
        path: PathBuf,
        /// What became of the sound.
        audio: &'static str,
        /// What became of the picture.
        video: &'static str,
    },
    /// Another file of the same call has the same name in the library.
    #[error(
        "{}: would get the same identifier {identifier:?} as {}; \
         name a directory above both instead",
        path.display(),
        other.display()
    )]
    SameIdentifier {
        /// The file.
        path: PathBuf,
        /// The one that got the name.
        other: PathBuf,
        /// The name.
        identifier: String,
    },
}

impl AddError {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            AddError::Fingerprint(error) => error.code(),
            AddError::StillImage { .. } => "still_image",
            AddError::Truncated { .. } => "truncated",
            AddError::Nothing { .. } => "nothing_to_find",
            AddError::SameIdentifier { .. } => "same_identifier",
        }
    }
}

/// How many files came to what.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AddSummary {
    /// Added, replacements included.
    pub added: usize,
    /// Of those, took the place of other content under their name.
    pub replaced: usize,
    /// In the library already.
    pub already_there: usize,
    /// Found in directories and nothing to add.
    pub skipped: usize,
    /// Not added.
    pub failed: usize,
    /// Seconds of what was added.
    pub duration: f64,
}

/// The one writer of a library.
#[derive(Debug)]
pub struct LibraryWriter {
    pub(crate) index: Box<dyn Editor>,
}

impl LibraryWriter {
    /// Opens a library for writing, and creates it where nothing or an empty directory is.
    ///
    /// # Errors
    /// Another writer (the error names its process), something else at the path, other
    /// extractors, a newer format, damage.
    pub fn open_or_create(directory: &Path) -> Result<LibraryWriter, LibraryError> {
        LibraryWriter::open_at(&Directory(directory.to_owned()), true)
    }

    /// Opens an existing library for writing.
    ///
    /// # Errors
    /// No library, and as [`LibraryWriter::open_or_create`].
    pub fn open(directory: &Path) -> Result<LibraryWriter, LibraryError> {
        LibraryWriter::open_at(&Directory(directory.to_owned()), false)
    }

    /// Opens a library for writing, wherever it is kept; with `create`, an empty one where there is none.
    ///
    /// # Errors
    /// As of [`LibraryWriter::open_or_create`], and what a store says that cannot be reached.
    pub fn open_at(place: &dyn Place, create: bool) -> Result<LibraryWriter, LibraryError> {
        let index = place.write(&extractors(), create)?;
        Ok(LibraryWriter { index })
    }

    /// Adds files, `options.jobs` at a time. Each is durable when its [`AddEvent::Added`] comes,
    /// whatever happens afterwards; content that is there already costs only its hash. A bad
    /// file is reported and does not stop the others. `events` is called from several threads.
    ///
    /// # Errors
    /// The library cannot be written; what was reported as added stays.
    pub fn add(
        &mut self,
        inputs: &[Input],
        options: &AddOptions,
        events: &(dyn Fn(AddEvent<'_>) + Sync),
    ) -> Result<AddSummary, LibraryError> {
        let jobs = match options.jobs {
            0 => thread::available_parallelism().map_or(1, NonZero::get),
            jobs => jobs,
        };
        let pool = self.pool(jobs)?;
        let batch = Batch {
            inputs,
            options,
            events,
            first: first_of_each_name(inputs),
            known: self.known(),
            next: AtomicUsize::new(0),
        };
        let mut summary = AddSummary::default();
        thread::scope(|scope| {
            // Few results wait, so that memory stays bounded however slow the disk is.
            let (sender, results) = sync_channel(1);
            for _ in 0..jobs.min(inputs.len()) {
                let (sender, batch, pool) = (sender.clone(), &batch, &pool);
                scope.spawn(move || batch.work(pool, &sender));
            }
            drop(sender);
            // When this returns early, the receiver goes and the workers stop.
            self.collect(&batch, &results, &mut summary)
        })?;
        Ok(summary)
    }

    /// Adds sparse fingerprints that a program has at hand, all or none in one step; durable when
    /// it returns. A reference of the same name is replaced.
    ///
    /// # Errors
    /// The library cannot be written.
    pub fn add_fingerprints(
        &mut self,
        named: Vec<(String, Fingerprint)>,
    ) -> Result<(), LibraryError> {
        let new = |(identifier, fingerprint)| new_reference(identifier, fingerprint);
        self.index.commit(named.into_iter().map(new).collect())?;
        self.index.tidy()
    }

    /// Removes references by name; durable when it returns. Tells which of them there were.
    ///
    /// # Errors
    /// The library cannot be written.
    pub fn remove(&mut self, identifiers: &[&str]) -> Result<Vec<String>, LibraryError> {
        self.index.remove(identifiers)
    }

    /// Excludes the seconds from `start` to `end` of a reference: alone they never make a match.
    /// Durable when it returns. Tells all that is excluded of the reference now; `None` if there is
    /// no such reference.
    ///
    /// # Errors
    /// The library cannot be written.
    pub fn exclude(
        &mut self,
        identifier: &str,
        start: f64,
        end: f64,
    ) -> Result<Option<Stretches>, LibraryError> {
        self.change_excluded(identifier, |excluded, duration| {
            excluded.insert(start.max(0.0), end.min(duration));
        })
    }

    /// Takes an exclusion, or a part of one, back, as [`LibraryWriter::exclude`] makes one.
    ///
    /// # Errors
    /// The library cannot be written.
    pub fn include(
        &mut self,
        identifier: &str,
        start: f64,
        end: f64,
    ) -> Result<Option<Stretches>, LibraryError> {
        self.change_excluded(identifier, |excluded, _| excluded.remove(start, end))
    }

    fn change_excluded(
        &mut self,
        identifier: &str,
        change: impl FnOnce(&mut Stretches, f64),
    ) -> Result<Option<Stretches>, LibraryError> {
        let Some(entry) = self.index.by_identifier(identifier) else {
            return Ok(None);
        };
        let mut excluded = self.index.excluded(entry.id).cloned().unwrap_or_default();
        change(&mut excluded, entry.duration);
        self.index.exclude(identifier, excluded.clone())?;
        Ok(Some(excluded))
    }

    /// Merges all files into one and gives the space of removed references back.
    ///
    /// # Errors
    /// The library cannot be read or written.
    pub fn compact(&mut self) -> Result<(), LibraryError> {
        self.index.compact()
    }

    /// Commits references in the order of the inputs, several at once when they come faster than the
    /// disk: the same files make the same library, whichever was done first. What fails is told of at
    /// once.
    fn collect(
        &mut self,
        batch: &Batch<'_>,
        results: &Receiver<(usize, Outcome)>,
        summary: &mut AddSummary,
    ) -> Result<(), LibraryError> {
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        while let Ok(first) = results.recv() {
            for (input, outcome) in std::iter::once(first).chain(results.try_iter().take(MAX_GROUP))
            {
                let reference = match outcome {
                    Outcome::Ready(reference) => Some(reference),
                    other => {
                        batch.tell(input, &other, summary);
                        None
                    }
                };
                waiting.insert(input, reference);
            }
            let mut ready = Vec::new();
            while let Some((&input, _)) = waiting.first_key_value()
                && (input <= next || waiting.len() > MAX_WAITING)
            {
                let reference = waiting.remove(&input).flatten();
                next = next.max(input + 1);
                ready.extend(reference.map(|reference| (input, reference)));
            }
            self.commit(batch, ready, summary)?;
        }
        Ok(())
    }

    fn commit(
        &mut self,
        batch: &Batch<'_>,
        ready: Vec<(usize, Box<NewReference>)>,
        summary: &mut AddSummary,
    ) -> Result<(), LibraryError> {
        if ready.is_empty() {
            return Ok(());
        }
        let mut told = Vec::with_capacity(ready.len());
        let mut new: Vec<NewReference> = Vec::with_capacity(ready.len());
        let mut twins = Vec::new();
        for (input, reference) in ready {
            let before = self.index.by_identifier(&reference.identifier);
            let (content, replaced) = (reference.fingerprint.content, before.is_some());
            // Two files of this call with the same content: neither was there when they began.
            let there = self
                .index
                .by_content(&content)
                .map(|e| e.identifier.clone());
            let twin = || {
                new.iter()
                    .find(|other| other.fingerprint.content == content)
            };
            match there.or_else(|| twin().map(|other| other.identifier.clone())) {
                Some(identifier) if !replaced => twins.push((input, identifier)),
                _ => {
                    told.push((input, reference.fingerprint.duration, replaced));
                    new.push(*reference);
                }
            }
        }
        self.index.commit(new)?;
        for (input, duration, replaced) in told {
            summary.added += 1;
            summary.replaced += usize::from(replaced);
            summary.duration += duration;
            (batch.events)(AddEvent::Added {
                input,
                duration,
                replaced,
            });
        }
        for (input, identifier) in twins {
            batch.tell(input, &Outcome::There(identifier), summary);
        }
        self.index.tidy()
    }

    /// What is in the library before a batch begins.
    fn known(&self) -> Known {
        let names = self
            .index
            .entries()
            .map(|entry| (entry.identifier.clone(), Streams::of(entry)));
        let names: HashMap<String, Streams> = names.collect();
        let contents = names
            .iter()
            .map(|(name, streams)| (streams.content, name.clone()));
        Known {
            contents: contents.collect(),
            names,
        }
    }

    fn pool(&self, jobs: usize) -> Result<ThreadPool, LibraryError> {
        let pool = ThreadPoolBuilder::new().num_threads(jobs).build();
        pool.map_err(|error| {
            LibraryError::Store(StoreError::Io {
                path: self.index.place().to_owned(),
                source: std::io::Error::other(error),
            })
        })
    }
}

/// What a library held when a batch began.
struct Known {
    names: HashMap<String, Streams>,
    contents: HashMap<ContentHash, String>,
}

/// What a library holds of one reference.
struct Streams {
    content: ContentHash,
    audio_skipped: bool,
    video_skipped: bool,
}

impl Streams {
    fn of(entry: &Entry) -> Streams {
        Streams {
            content: entry.content,
            audio_skipped: matches!(entry.audio(), StreamState::Skipped),
            video_skipped: matches!(entry.video(), StreamState::Skipped),
        }
    }

    /// Whether adding with `options` could add a stream that was skipped before.
    fn lacks(&self, options: &ExtractOptions) -> bool {
        self.audio_skipped && options.audio || self.video_skipped && options.video
    }
}

impl Known {
    /// The name under which this content is there, unless adding it would change something.
    fn name_of(&self, content: &ContentHash, input: &Input, options: &AddOptions) -> Option<&str> {
        let (name, streams) = match self.names.get_key_value(&input.identifier) {
            Some(entry) => entry,
            None => self.names.get_key_value(self.contents.get(content)?)?,
        };
        let same = streams.content == *content && !streams.lacks(&options.extract);
        same.then_some(name.as_str())
    }
}

/// What became of a file before it is committed.
enum Outcome {
    Ready(Box<NewReference>),
    There(String),
    Skipped(&'static str),
    Failed(AddError),
}

/// The files of one call.
struct Batch<'a> {
    inputs: &'a [Input],
    options: &'a AddOptions,
    events: &'a (dyn Fn(AddEvent<'_>) + Sync),
    /// The first input of each name.
    first: HashMap<&'a str, usize>,
    known: Known,
    /// The next input to be worked on.
    next: AtomicUsize,
}

impl Batch<'_> {
    /// Works on files until none is left or nobody listens.
    fn work(&self, pool: &ThreadPool, results: &SyncSender<(usize, Outcome)>) {
        loop {
            let input = self.next.fetch_add(1, Ordering::Relaxed);
            if input >= self.inputs.len() {
                return;
            }
            let outcome = contain(|| pool.install(|| self.prepare(input)));
            let outcome = outcome.unwrap_or_else(|| {
                let path = self.inputs[input].path.clone();
                Err(FingerprintError::Fault { path }.into())
            });
            let outcome = outcome.unwrap_or_else(Outcome::Failed);
            if results.send((input, outcome)).is_err() {
                return;
            }
        }
    }

    fn prepare(&self, input: usize) -> Result<Outcome, AddError> {
        let Input {
            path,
            identifier,
            named,
        } = &self.inputs[input];
        if let Some(&first) = self.first.get(identifier.as_str())
            && first != input
        {
            return self.same_name(input, first);
        }
        let mut source = Source::open(path)?;
        if source.is_still() {
            return match named {
                true => Err(AddError::StillImage { path: path.clone() }),
                false => Ok(Outcome::Skipped("a still image")),
            };
        }
        let content = source.content()?;
        if let Some(name) = self
            .known
            .name_of(&content, &self.inputs[input], self.options)
        {
            return Ok(Outcome::There(name.to_owned()));
        }
        let duration = source.duration();
        (self.events)(AddEvent::Started { input, duration });
        let progress = |progress: Progress| {
            let seconds = progress.seconds;
            (self.events)(AddEvent::Progress { input, seconds });
        };
        let extracted = source.fingerprint(Density::Reference, &self.options.extract, &progress)?;
        if let Some(reason) = extracted.truncated
            && !self.options.allow_truncated
        {
            let path = path.clone();
            return Err(AddError::Truncated { path, reason });
        }
        let fingerprint = extracted.fingerprint;
        if fingerprint.audio.analysed().is_none() && fingerprint.video.analysed().is_none() {
            return Err(AddError::Nothing {
                path: path.clone(),
                audio: state_name(&fingerprint.audio, "silent"),
                video: state_name(&fingerprint.video, "blank"),
            });
        }
        let reference = new_reference(identifier.clone(), fingerprint);
        Ok(Outcome::Ready(Box::new(reference)))
    }

    /// A second file of one name: the same content is harmless, other content is a mistake.
    fn same_name(&self, input: usize, first: usize) -> Result<Outcome, AddError> {
        let (input, first) = (&self.inputs[input], &self.inputs[first]);
        let hash = |input: &Input| hash_file(&input.path).ok();
        if hash(input).is_some() && hash(input) == hash(first) {
            return Ok(Outcome::There(first.identifier.clone()));
        }
        Err(AddError::SameIdentifier {
            path: input.path.clone(),
            other: first.path.clone(),
            identifier: first.identifier.clone(),
        })
    }

    /// Reports and counts what was not committed.
    fn tell(&self, input: usize, outcome: &Outcome, summary: &mut AddSummary) {
        match outcome {
            Outcome::Ready(_) => {}
            Outcome::There(identifier) => {
                summary.already_there += 1;
                (self.events)(AddEvent::AlreadyThere { input, identifier });
            }
            Outcome::Skipped(reason) => {
                summary.skipped += 1;
                (self.events)(AddEvent::Skipped { input, reason });
            }
            Outcome::Failed(error) => {
                summary.failed += 1;
                (self.events)(AddEvent::Failed { input, error });
            }
        }
    }
}

fn first_of_each_name(inputs: &[Input]) -> HashMap<&str, usize> {
    let mut first = HashMap::new();
    for (i, input) in inputs.iter().enumerate() {
        first.entry(input.identifier.as_str()).or_insert(i);
    }
    first
}

fn new_reference(identifier: String, fingerprint: Fingerprint) -> NewReference {
    NewReference {
        identifier,
        postings: all_postings(&fingerprint),
        fingerprint,
        added: now(),
    }
}

/// What a library or a [`likeness_index::MemoryStore`] looks a reference up by, in the order of
/// [`likeness_core::PostingSpace::ALL`].
pub(crate) fn all_postings(fingerprint: &Fingerprint) -> [Vec<Posting>; SPACES] {
    // The store sets the reference when it knows it.
    let id = ReferenceId(0);
    let audio = fingerprint.audio.analysed();
    let video = fingerprint.video.analysed();
    [
        audio.map_or_else(Vec::new, |audio| likeness_audio::postings(audio, id)),
        video.map_or_else(Vec::new, |video| likeness_video::postings(video, id)),
        video.map_or_else(Vec::new, |video| {
            MotionCurve::of(&video.thumbnails).postings(id)
        }),
    ]
}

fn state_name<F>(state: &StreamState<F>, empty: &'static str) -> &'static str {
    match state {
        StreamState::Analysed(_) => "analysed",
        StreamState::Absent => "absent",
        StreamState::Empty => empty,
        StreamState::TooShort => "too short",
        StreamState::Undecodable => "undecodable",
        StreamState::Skipped => "skipped",
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
