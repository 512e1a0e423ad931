//! The truth against what samples and pixels show: clicks and tones in the sound, and two marks that
//! come and go in the picture.

mod both;
mod picture;
mod sound;

use super::*;
use crate::encode;
use crate::mix::{Sound, frames};
use crate::recipe::{AudioStep, Background, Encoding, VideoStep};
use picture::marked;
use sound::{flac, tone};
use tempfile::TempDir;

/// The excerpts begin here in their sources, seconds.
const START: f64 = 2.0;

#[test]
fn the_same_seed_gives_the_same_file() {
    let make = || {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("source.mp4");
        encode::write(&path, vec![marked()]).expect("written");
        let steps = vec![
            VideoStep::Noise { strength: 8 },
            VideoStep::Inset {
                size: 0.5,
                background: Background::Pattern,
                x: None,
                y: None,
            },
        ];
        let recipe = Recipe {
            audio: None,
            video: Some(steps),
            encode: Encoding::default(),
        };
        let materials = Materials::default();
        let random = Random::new(9, "same");
        let job = Job {
            source: &path,
            start: 1.0,
            seconds: 2.0,
            recipe: &recipe,
            materials: &materials,
            random,
        };
        let (file, _) = render(&job, folder.path(), "query").expect("rendered");
        std::fs::read(file).expect("read")
    };
    assert!(make() == make());
}

#[test]
fn what_cannot_be_done_says_why() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("silent.flac");
    flac(
        &path,
        &Sound {
            samples: vec![0.0; frames(5.0) * 2],
        },
    );
    let fails = |source: &Path, audio: Vec<AudioStep>, start: f64| {
        let recipe = Recipe {
            audio: Some(audio),
            video: None,
            encode: Encoding::default(),
        };
        let materials = Materials::default();
        let random = Random::new(1, "");
        let job = Job {
            source,
            start,
            seconds: 2.0,
            recipe: &recipe,
            materials: &materials,
            random,
        };
        let error = render(&job, folder.path(), "query").expect_err("impossible");
        error.to_string()
    };
    let mute = folder.path().join("mute.mp4");
    encode::write(&mute, vec![marked()]).expect("written");
    assert!(fails(&mute, vec![], 0.0).contains("nothing between"));
    assert!(fails(&path, vec![], 0.0).contains("nothing between"));
    assert!(fails(&path, vec![], 99.0).contains("nothing between"));
    let path = folder.path().join("loud.flac");
    flac(&path, &tone(5.0, &[]));
    assert!(fails(&path, vec![AudioStep::Speed { factor: 9.0 }], 0.0).contains("speed"));
    assert!(fails(&path, vec![AudioStep::Voice { snr_db: 0.0 }], 0.0).contains("voice"));
    assert!(fails(&path, vec![AudioStep::RemoveCentre], 0.0).contains("nothing between"));
}
