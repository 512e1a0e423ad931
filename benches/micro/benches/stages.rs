//! Whole stages on made-up media: what one core does in a second.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use likeness_audio::AudioExtractor;
use likeness_core::{
    AudioFingerprint, Density, PcmBlock, ReferenceId, StreamState, VideoFingerprint,
};
use likeness_micro::{RATE, film, frame, music};
use likeness_video::VideoExtractor;

/// Seconds of sound.
const SOUND: usize = 60;
/// Seconds of film.
const FILM: usize = 8;

fn main() {
    divan::main();
}

fn hear(sound: &[f32], density: Density) -> StreamState<AudioFingerprint> {
    let mut extractor = AudioExtractor::new(density);
    for block in sound.chunks(RATE) {
        extractor.push(PcmBlock::mono(block));
    }
    extractor.finish()
}

fn see(film: &[Vec<u8>], density: Density) -> StreamState<VideoFingerprint> {
    let mut extractor = VideoExtractor::new(density);
    for (number, picture) in film.iter().enumerate() {
        extractor.push(frame(number, picture));
    }
    extractor.finish()
}

/// Seconds of sound to a fingerprint, decoded already.
#[divan::bench(args = [Density::Reference, Density::Query], sample_count = 10)]
fn fingerprint_sound(bencher: Bencher<'_, '_>, density: Density) {
    let sound = music(1, SOUND);
    bencher
        .counter(ItemsCount::new(SOUND))
        .bench(|| hear(black_box(&sound), density));
}

/// Frames of 640x360 to a fingerprint, decoded already, on all cores.
#[divan::bench(args = [Density::Reference, Density::Query], sample_count = 10)]
fn fingerprint_picture(bencher: Bencher<'_, '_>, density: Density) {
    let film = film(1, FILM);
    bencher
        .counter(ItemsCount::new(film.len()))
        .bench(|| see(black_box(&film), density));
}

/// Seconds of sound, fingerprinted already, to what the look-up tables hold of it: triplets of peaks.
#[divan::bench(sample_count = 20)]
fn postings_of_sound(bencher: Bencher<'_, '_>) {
    let heard = hear(&music(1, SOUND), Density::Reference);
    let fingerprint = heard.analysed().expect("music is no silence");
    bencher
        .counter(ItemsCount::new(SOUND))
        .bench(|| likeness_audio::postings(black_box(fingerprint), ReferenceId(0)));
}

/// Frames, fingerprinted already, to what the look-up tables hold of them: hashes of descriptors.
#[divan::bench(sample_count = 20)]
fn postings_of_picture(bencher: Bencher<'_, '_>) {
    let film = film(1, FILM);
    let seen = see(&film, Density::Reference);
    let fingerprint = seen.analysed().expect("the film is not flat");
    bencher
        .counter(ItemsCount::new(film.len()))
        .bench(|| likeness_video::postings(black_box(fingerprint), ReferenceId(0)));
}
