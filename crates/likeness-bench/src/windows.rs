//! Windows cut out of fingerprints, as if only that stretch of the file had been uploaded: thousands
//! of queries from one decoding.

use likeness_core::audio::{Peak, TICKS_PER_SECOND};
use likeness_core::video::{Keyframe, Plate, Thumbnails, VideoConfig};
use likeness_core::{AudioFingerprint, VideoFingerprint};
use likeness_distort::Random;

/// Seconds of the shortest and of the longest window.
const SHORTEST: f64 = 5.0;
const LONGEST: f64 = 60.0;

/// `count` windows of a work of some seconds, drawn by lot: whole seconds, lengths spread evenly over
/// their logarithm. None of a work that is too short.
pub(crate) fn draw(seconds: f64, count: usize, random: &mut Random) -> Vec<(f64, f64)> {
    let longest = LONGEST.min(seconds.floor());
    if longest < SHORTEST {
        return Vec::new();
    }
    let mut window = || {
        let length = random.between(SHORTEST.ln(), longest.ln()).exp().round();
        let start = random.between(0.0, seconds - length).floor();
        (start, start + length)
    };
    (0..count).map(|_| window()).collect()
}

/// The seconds from `start` to `end` of a sound.
pub(crate) fn sound(of: &AudioFingerprint, (start, end): (f64, f64)) -> AudioFingerprint {
    let step = of.grid.step.max(1);
    let row = |seconds: f64| (seconds * TICKS_PER_SECOND / f64::from(step)).round() as u32;
    let (first, last) = (row(start), row(end.min(of.duration)));
    let (from, to) = (first * step, last * step);
    let cut = |peaks: &[Peak]| -> Vec<Peak> {
        let inside = peaks.iter().filter(|p| (from..to).contains(&p.time));
        inside
            .map(|p| Peak {
                time: p.time - from,
                ..*p
            })
            .collect()
    };
    let rows = (first as usize).min(of.grid.rows())..(last as usize).min(of.grid.rows());
    let mut grid = of.grid.emptied();
    grid.extend(of.grid.of_rows(rows));
    AudioFingerprint {
        duration: f64::from(to - from) / TICKS_PER_SECOND,
        density: of.density,
        onsets: cut(&of.onsets),
        partials: cut(&of.partials),
        grid,
    }
}

/// The seconds from `start` to `end`, both whole, of a picture.
pub(crate) fn picture(of: &VideoFingerprint, (start, end): (f64, f64)) -> VideoFingerprint {
    let end = end.min(of.duration);
    let config = VideoConfig::DEFAULT;
    let inside = |frame: &&Keyframe| (start..end).contains(&frame.seconds());
    let keyframes = of.keyframes.iter().filter(inside).map(|frame| Keyframe {
        slot: frame.slot - (start * f64::from(config.keyframe_rate)) as u32,
        time_ms: frame.time_ms - (start * 1000.0) as u32,
        ..frame.clone()
    });
    let slot = |time: f64| (time * f64::from(config.keyframe_rate)) as u32;
    let shown = |plate: &&Plate| (slot(start)..slot(end)).contains(&plate.slot);
    let plates = of.plates.iter().filter(shown).map(|plate| Plate {
        slot: plate.slot - slot(start),
        ..plate.clone()
    });
    let film = &of.thumbnails;
    let area = film.width * film.height;
    let pictures = film.index(start).min(film.len())..film.index(end).min(film.len());
    VideoFingerprint {
        duration: end - start,
        aspect: of.aspect,
        density: of.density,
        keyframes: keyframes.collect(),
        thumbnails: Thumbnails {
            pixels: film.pixels[pictures.start * area..pictures.end * area].to_vec(),
            ..*film
        },
        plates: plates.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use likeness_audio::AudioExtractor;
    use likeness_core::{Density, PcmBlock};

    #[test]
    fn windows_lie_inside_and_last_as_long_as_they_should() {
        let windows = draw(90.5, 400, &mut Random::new(1, "windows"));
        let length = |w: &(f64, f64)| w.1 - w.0;
        assert!(windows.iter().all(|w| w.0 >= 0.0 && w.1 <= 90.5));
        assert!(
            windows
                .iter()
                .all(|w| (SHORTEST..=LONGEST).contains(&length(w)))
        );
        let short = windows.iter().filter(|w| length(w) < 17.3).count();
        assert!(
            (150..250).contains(&short),
            "{short} of 400 below the middle"
        );
        assert_eq!(draw(4.9, 9, &mut Random::new(1, "windows")), []);
    }

    #[test]
    fn a_window_is_what_the_stretch_alone_gives() {
        let rate = 11_025;
        let mut random = Random::new(2, "window");
        // Notes that begin at random moments.
        let mut samples = vec![0f32; 30 * rate];
        for _ in 0..400 {
            let at = random.index(samples.len());
            let hz = 220.0 * 2f64.powf(random.between(0.0, 4.0));
            for (i, sample) in samples[at..].iter_mut().take(rate / 2).enumerate() {
                let t = i as f64 / rate as f64;
                *sample += ((t * hz * std::f64::consts::TAU).sin() * (-8.0 * t).exp() * 0.2) as f32;
            }
        }
        let extract = |samples: &[f32]| {
            let mut extractor = AudioExtractor::new(Density::Query);
            extractor.push(PcmBlock::mono(samples));
            extractor.finish().into_analysed().unwrap()
        };
        let cut = sound(&extract(&samples), (10.0, 20.0));
        let alone = extract(&samples[10 * rate..20 * rate]);
        assert!((cut.duration - 10.0).abs() < 0.1);
        // Its edges know what lies beyond, and rows begin a little earlier or later.
        let near = |a: &Peak, b: &Peak| {
            a.time.abs_diff(b.time) <= 20 && a.frequency.abs_diff(b.frequency) <= 4
        };
        let again = cut
            .onsets
            .iter()
            .filter(|a| alone.onsets.iter().any(|b| near(a, b)));
        let (again, all) = (again.count(), cut.onsets.len());
        assert!(again * 10 >= all * 8, "{again} of {all}");
        assert!(cut.grid.rows().abs_diff(alone.grid.rows()) <= 2);
    }
}
