//! Stands in for parts that land next.

use likeness_core::{
    AudioFingerprint, Density, LumaFrame, Posting, ReferenceId, StreamState, VideoFingerprint,
};
use likeness_index::{Store, StoreError};
use likeness_match::Found;

pub(crate) const VIDEO_EXTRACTOR: u64 = 0;

pub(crate) struct VideoExtractor;
impl VideoExtractor {
    pub(crate) fn new(_: Density) -> Self {
        VideoExtractor
    }
    pub(crate) fn push(&mut self, _: LumaFrame<'_>) {}
    pub(crate) fn finish(self) -> StreamState<VideoFingerprint> {
        StreamState::TooShort
    }
}
pub(crate) fn video_postings(_: &VideoFingerprint, _: ReferenceId) -> Vec<Posting> {
    Vec::new()
}

#[derive(Debug, Clone, Default)]
pub struct AudioMatchConfig;
#[derive(Debug, Clone, Default)]
pub struct VideoMatchConfig;

pub(crate) fn match_audio(
    _: &AudioFingerprint,
    _: &dyn Store,
    _: &AudioMatchConfig,
) -> Result<Vec<Found>, StoreError> {
    Ok(Vec::new())
}
pub(crate) fn match_video(
    _: &VideoFingerprint,
    _: &dyn Store,
    _: &VideoMatchConfig,
) -> Result<Vec<Found>, StoreError> {
    Ok(Vec::new())
}
