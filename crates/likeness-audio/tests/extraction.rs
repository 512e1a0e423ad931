//! What extraction promises: the same fingerprint however samples arrive, the reference's form a
//! subset of the query's, and states instead of fingerprints where there is nothing to find.

use likeness_audio::{AudioConfig, AudioExtractor, postings};
use likeness_core::audio::{CROWD, CROWD_TICKS, EXTRACTOR};
use likeness_core::{AudioFingerprint, Density, PcmBlock, ReferenceId, StreamState};
use proptest::prelude::*;

/// Notes of four partials each, their pitches and lengths drawn from a seed.
fn music(seed: u64, seconds: f64) -> Vec<f32> {
    let mut state = seed | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut samples = vec![0.0f32; (seconds * 11_025.0) as usize];
    let mut at = 0.0;
    while at < seconds {
        let hz = 220.0 * (random() * 36.0).floor().exp2().powf(1.0 / 12.0);
        let (start, length) = ((at * 11_025.0) as usize, 0.3 + random() * 0.5);
        let count = (length * 11_025.0) as usize;
        for (i, sample) in samples.iter_mut().skip(start).take(count).enumerate() {
            let t = i as f64 / 11_025.0;
            let tone =
                |n: i32| (std::f64::consts::TAU * hz * f64::from(n) * t).sin() / f64::from(n);
            *sample += ((1..5).map(tone).sum::<f64>() * (-t * 4.0).exp() * 0.1) as f32;
        }
        at += 0.1 + random() * 0.2;
    }
    samples
}

fn extract(
    density: Density,
    parts: &mut dyn Iterator<Item = &[f32]>,
) -> StreamState<AudioFingerprint> {
    let mut extractor = AudioExtractor::new(density);
    parts.for_each(|part| extractor.push(PcmBlock::mono(part)));
    extractor.finish()
}

#[test]
fn the_decoder_knows_this_extractor() {
    let hash = AudioConfig::default().hash();
    assert_eq!(
        EXTRACTOR, hash,
        "set likeness_core::audio::EXTRACTOR to {hash:#x}"
    );
}

#[test]
fn the_decoder_allows_what_this_extractor_keeps() {
    let AudioConfig {
        rank_ticks,
        dense_peaks,
        sparse_peaks,
        ..
    } = AudioConfig::default();
    assert_eq!(
        (CROWD_TICKS, CROWD),
        (rank_ticks, dense_peaks + sparse_peaks)
    );
}

#[test]
fn sparse_extraction_is_thinned_dense_extraction() {
    // The longest fills several batches of the grid.
    for (seed, seconds) in [(1, 12.0), (2, 50.0), (3, 13.3)] {
        let samples = music(seed, seconds);
        let dense = extract(Density::Query, &mut samples.chunks(1000));
        let sparse = extract(Density::Reference, &mut samples.chunks(777));
        let dense = dense.analysed().cloned().unwrap();
        let thinned = dense.to_reference();
        assert_eq!(sparse.analysed(), Some(&thinned));
        assert!(thinned.onsets.len() > 60 && dense.onsets.len() > thinned.onsets.len());
        assert_eq!(AudioFingerprint::decode(&dense.encode()), Ok(dense.clone()));
        let id = ReferenceId(3);
        assert_eq!(postings(&dense, id), postings(&thinned, id));
        assert!(postings(&thinned, id).len() > 100);
    }
}

/// Music in the middle turned by an angle towards the side: 90 degrees is antiphase.
#[test]
fn channels_that_cancel_change_nothing() {
    let samples = music(5, 8.0);
    let plain = extract(Density::Query, &mut std::iter::once(&samples[..]));
    let plain = plain.analysed().cloned().unwrap();
    let check = |degrees: f32, least: f64| {
        let (to_side, to_mid) = degrees.to_radians().sin_cos();
        let scaled = |by: f32| -> Vec<f32> { samples.iter().map(|s| s * by).collect() };
        let (mid, side) = (scaled(to_mid), scaled(to_side));
        let mut extractor = AudioExtractor::new(Density::Query);
        extractor.push(PcmBlock {
            mid: &mid,
            side: &side,
        });
        let turned = extractor.finish().analysed().cloned().unwrap();
        let same = turned.onsets.iter().filter(|p| plain.onsets.contains(p));
        let share = same.count() as f64 / plain.onsets.len() as f64;
        assert!(share >= least, "{degrees}: {share}");
    };
    check(0.0, 1.0);
    check(0.2, 0.9);
    // Rounding may move a peak by a tick.
    for degrees in [10.0, 45.0, 80.0, 90.0] {
        check(degrees, 0.9);
    }
}

#[test]
fn nothing_to_find_is_a_state() {
    let state = |samples: &[f32]| extract(Density::Query, &mut samples.chunks(4096));
    assert_eq!(state(&[]), StreamState::TooShort);
    assert_eq!(state(&[0.1; 5000]), StreamState::TooShort);
    assert_eq!(state(&[0.0; 60_000]), StreamState::Empty);
    assert_eq!(state(&[f32::NAN; 60_000]), StreamState::Empty);
    assert_eq!(state(&[0.5; 60_000]), StreamState::Empty);
    // Anything else must do no harm.
    let wild: Vec<f32> = (0..60_000)
        .map(|i| if i % 3 == 0 { f32::INFINITY } else { 1e30 })
        .collect();
    let _ = state(&wild);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn chunks_do_not_matter(seed in 1..1000u64, sizes in proptest::collection::vec(1..30_000usize, 1..12)) {
        let samples = music(seed, 5.0);
        let whole = extract(Density::Query, &mut std::iter::once(&samples[..]));
        let mut rest = &samples[..];
        let mut sizes = sizes.iter().cycle();
        let cut = extract(Density::Query, &mut std::iter::from_fn(|| {
            let n = (*sizes.next()?).min(rest.len());
            let (head, tail) = rest.split_at(n);
            rest = tail;
            (n > 0).then_some(head)
        }));
        prop_assert_eq!(whole, cut);
    }
}
