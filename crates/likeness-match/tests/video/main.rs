//! Disguised and unrelated films made of moving textures, from frames to matches.

mod copies;
mod films;
mod others;
mod stills;

use films::*;
use likeness_core::{Density, StreamState, VideoFingerprint};

#[test]
fn the_sparse_form_is_what_the_dense_one_thins_to() {
    let frames = film(5, 9.0);
    let dense = extract(&frames, RATE, Density::Query);
    let sparse = extract(&frames, RATE, Density::Reference);
    let dense = dense.analysed().unwrap();
    assert_eq!(Some(&dense.to_reference()), sparse.analysed());
    assert_eq!(
        VideoFingerprint::decode(&dense.encode()).as_ref(),
        Ok(dense)
    );
}

#[test]
fn nothing_to_see_and_too_little_are_told_apart() {
    let black = vec![Picture::new(WIDTH, HEIGHT); 60];
    assert_eq!(extract(&black, RATE, Density::Query), StreamState::Empty);
    assert_eq!(
        extract(&film(1, 1.0), RATE, Density::Query),
        StreamState::TooShort
    );
    assert_eq!(extract(&[], RATE, Density::Query), StreamState::TooShort);
}
