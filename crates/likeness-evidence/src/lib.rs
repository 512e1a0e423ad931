//! The evidence for matches, as one self-contained page that people can look at and listen to.
//!
//! ```text
//! report + works -> excerpt (what to read of the files) -> strips, pictures, words -> page
//! ```
//!
//! The page needs no network and no script. What comes from outside (names, error messages) is
//! escaped by the template engine. Sees reports, fingerprints and media, never a library: whoever
//! calls says where works lie ([`Work`]).

mod embed;
mod excerpt;
mod page;
mod pictures;
mod sounds;
mod spectrogram;
mod timeline;
mod words;

pub use page::{About, Page};

use likeness_core::report::{Match, MatchReport, Media};
use likeness_core::{AudioFingerprint, Fingerprint, VideoFingerprint};
use std::path::PathBuf;
use std::sync::Arc;

/// A query or a reference, as far as it is at hand.
#[derive(Debug, Clone, Default)]
pub struct Work {
    /// Seconds of its longest stream.
    pub duration: f64,
    /// Fingerprint of its sound: dense of a query, sparse of a reference.
    pub audio: Option<Arc<AudioFingerprint>>,
    /// Fingerprint of its picture.
    pub video: Option<Arc<VideoFingerprint>>,
    /// The media file, if it is at hand: else the fingerprints are shown, and nothing is heard.
    pub file: Option<PathBuf>,
}

impl Work {
    /// A work of which a fingerprint is at hand, and perhaps the file.
    pub fn new(fingerprint: Fingerprint, file: Option<PathBuf>) -> Work {
        Work {
            duration: fingerprint.duration,
            audio: fingerprint.audio.into_analysed().map(Arc::new),
            video: fingerprint.video.into_analysed().map(Arc::new),
            file,
        }
    }
}

/// Whether a file is a page of ours, by its first 512 bytes.
pub fn is_page(start: &[u8]) -> bool {
    const MARK: &[u8] = b"<meta name=\"generator\" content=\"likeness\"/>";
    start.windows(MARK.len()).any(|part| part == MARK)
}

/// What a page shows of one query's matches.
pub struct Shown(Vec<page::MatchView>);

/// Gathers what speaks for a report's matches. `query` is the query; `reference` finds references by
/// identifier. Reads the media files again, as far as they are at hand and there are matches;
/// `sparing`: only what can be said in words.
pub fn gather(
    report: &MatchReport,
    query: &Work,
    reference: &dyn Fn(&str) -> Option<Work>,
    sparing: bool,
) -> Shown {
    let plans: Vec<(&Match, Work, Option<excerpt::Plan>)> = report
        .matches
        .iter()
        .map(|found| {
            let work = reference(&found.reference).unwrap_or_default();
            let plan = if sparing {
                None
            } else {
                excerpt::plan(found, query)
            };
            (found, work, plan)
        })
        .collect();
    let of = |media| {
        let own = plans.iter().filter(move |(found, ..)| found.media == media);
        own.filter_map(|(_, _, plan)| plan.as_ref())
    };
    // The query is read once for all matches.
    let stretches: Vec<(f64, f64)> = of(Media::Audio).map(|plan| plan.query).collect();
    let times: Vec<f64> = of(Media::Video)
        .flat_map(|plan| plan.moments.map(|moment| moment.0))
        .collect();
    let file = query.file.as_deref();
    let mut heard = excerpt::sounds(file, &stretches).into_iter();
    let mut seen = excerpt::frames(file, &times).into_iter();
    let views = plans.iter().map(|(found, work, plan)| {
        let mut view = page::MatchView::new(report, found, query, work);
        match (plan, found.media) {
            (None, _) => {}
            (Some(plan), Media::Audio) => {
                view.sound = sounds::show(plan, query, heard.next().flatten(), work);
            }
            (Some(plan), Media::Video) => {
                let frames = plan.moments.map(|_| seen.next().flatten());
                view.picture = pictures::show(plan, query, frames, work);
            }
        }
        view
    });
    Shown(views.collect())
}
