//! Stands in for parts that land next.

use likeness_core::VideoFingerprint;
use likeness_index::{Store, StoreError};
use likeness_match::Found;

#[derive(Debug, Clone, Default)]
pub struct VideoMatchConfig;

pub(crate) fn match_video(
    _: &VideoFingerprint,
    _: &dyn Store,
    _: &VideoMatchConfig,
) -> Result<Vec<Found>, StoreError> {
    Ok(Vec::new())
}
