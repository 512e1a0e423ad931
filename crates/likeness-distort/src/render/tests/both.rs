//! Sound and picture in one file: a click, and marks that come at the same moment of the source.

use super::START;
use super::picture::{COMES, marked, watch};
use super::sound::{click_near, flac, tone};
use crate::audio::load;
use crate::encode;
use crate::recipe::{AudioCodec, AudioStep, Encoding, VideoStep};
use crate::render::*;
use tempfile::TempDir;

/// Renders both media with the same pace and surroundings; click and marks must come when their truths
/// say, which is at the same time.
fn check(audio: Vec<AudioStep>, video: Vec<VideoStep>) {
    let name = format!("{audio:?} {video:?}");
    let folder = TempDir::new().expect("a folder");
    let (source, other) = (
        folder.path().join("source.mp4"),
        folder.path().join("other.flac"),
    );
    let encoding = Encoding {
        codec: AudioCodec::Aac,
        ..Encoding::default()
    };
    let sound = encode::audio(&tone(14.0, &[COMES]), &encoding, true).expect("encoded");
    encode::write(&source, vec![sound, marked()]).expect("written");
    flac(&other, &tone(20.0, &[]));
    let still = folder.path().join("still.mp4");
    let graph = "color=c=gray:s=640x360:r=25:d=12,format=yuv420p,settb=1/90000[out]";
    let grey = crate::graph::Pull::video(graph).expect("drawn");
    let grey = encode::video(grey, &Encoding::default()).expect("encoded");
    encode::write(&still, vec![grey.expect("frames")]).expect("written");
    let recipe = Recipe {
        audio: Some(audio),
        video: Some(video),
        encode: encoding,
    };
    let materials = Materials {
        music: Some(&other),
        video: Some(&still),
        ..Materials::default()
    };
    let job = Job {
        source: &source,
        start: START,
        seconds: 8.0,
        recipe: &recipe,
        materials: &materials,
        random: Random::new(1, "both"),
    };
    let (file, truths) = render(&job, folder.path(), "query").expect("rendered");
    let [heard, seen] = <[Truth; 2]>::try_from(truths).expect("two truths");
    let expected = heard.query_start + (COMES - heard.reference_start) / heard.speed;
    let sound = load(&file, 0.0, 1e4).expect("decoded");
    let click = click_near(&sound, expected) - 0.002;
    assert!(
        (click - expected).abs() < 0.012,
        "{name}: click at {click:.3}, not {expected:.3}"
    );
    let seen = watch(&file, seen).of_the_copy();
    assert!(
        (seen.expected_change() - expected).abs() < 1e-9,
        "{name}: the truths differ"
    );
    let marks = seen.change();
    assert!(
        (marks - expected).abs() < 0.061,
        "{name}: marks at {marks:.3}, not {expected:.3}"
    );
}

#[test]
fn sound_and_picture_of_a_query_keep_together() {
    check(vec![], vec![]);
    check(
        vec![AudioStep::Speed { factor: 1.05 }],
        vec![VideoStep::Speed { factor: 1.05 }],
    );
    let (before, after) = (3.0, 2.0);
    check(
        vec![AudioStep::Inside { before, after }],
        vec![VideoStep::Inside { before, after }],
    );
}
