//! Disguised and unrelated films made of moving textures, from frames to matches.

use likeness_core::{Density, Fingerprint, LumaFrame, StreamState, VideoFingerprint};
use likeness_index::MemoryStore;
use likeness_match::Found;
use likeness_match::video::{VideoMatchConfig, match_video};
use likeness_video::{MotionCurve, VideoExtractor, postings};

const WIDTH: usize = 320;
const HEIGHT: usize = 180;
const RATE: f64 = 10.0;

/// A grey picture.
#[derive(Clone)]
struct Picture {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl Picture {
    fn new(width: usize, height: usize) -> Picture {
        Picture {
            width,
            height,
            data: vec![0; width * height],
        }
    }

    fn from(width: usize, height: usize, mut value: impl FnMut(usize, usize) -> u8) -> Picture {
        let data = (0..width * height)
            .map(|i| value(i % width, i / width))
            .collect();
        Picture {
            width,
            height,
            data,
        }
    }

    fn at(&self, x: usize, y: usize) -> u8 {
        self.data[y.min(self.height - 1) * self.width + x.min(self.width - 1)]
    }
}

/// Patches of random grey of several sizes, on top of one another.
fn texture(seed: u64) -> Picture {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 33) % n as u64) as usize
    };
    let mut picture = Picture::new(2 * WIDTH, 2 * HEIGHT);
    for i in 0..900 {
        let size = 4 + next(if i < 200 { 80 } else { 24 });
        let (left, top, grey) = (next(2 * WIDTH), next(2 * HEIGHT), next(256) as u8);
        for y in top..(top + size).min(2 * HEIGHT) {
            for x in left..(left + size).min(2 * WIDTH) {
                picture.data[y * 2 * WIDTH + x] = grey;
            }
        }
    }
    picture
}

/// Shots of three seconds: a background that pans and something that crosses it.
fn film(seed: u64, seconds: f64) -> Vec<Picture> {
    let mut shots: Vec<(Picture, Picture)> = Vec::new();
    (0..(seconds * RATE) as usize)
        .map(|i| {
            let shot = (i as f64 / RATE / 3.0) as u64;
            if shots.len() as u64 <= shot {
                shots.push((
                    texture(seed * 1000 + shot),
                    texture(seed * 1000 + 500 + shot),
                ));
            }
            let (back, front) = &shots[shot as usize];
            let t = i as f64 / RATE - 3.0 * shot as f64;
            let way = if (seed + shot).is_multiple_of(2) {
                t
            } else {
                3.0 - t
            };
            let (dx, dy) = ((way * 40.0) as usize, (t * 13.0) as usize);
            let (fx, fy) = ((t * 70.0) as usize, 20 + (way * 25.0) as usize);
            Picture::from(WIDTH, HEIGHT, |x, y| {
                if (fx..fx + 90).contains(&x) && (fy..fy + 70).contains(&y) {
                    front.at(x - fx, y - fy)
                } else {
                    back.at(x + dx, y + dy)
                }
            })
        })
        .collect()
}

fn extract(frames: &[Picture], rate: f64, density: Density) -> StreamState<VideoFingerprint> {
    let mut extractor = VideoExtractor::new(density);
    for (i, frame) in frames.iter().enumerate() {
        extractor.push(LumaFrame {
            data: &frame.data,
            width: frame.width,
            height: frame.height,
            stride: frame.width,
            pixel_aspect: 1.0,
            time: i as f64 / rate,
        });
    }
    extractor.finish()
}

/// A library of three films of 24 seconds.
fn library() -> MemoryStore {
    library_of(film)
}

/// A library of the films that `make` makes of the seeds 1 to 3 and 24 seconds.
fn library_of(make: impl Fn(u64, f64) -> Vec<Picture>) -> MemoryStore {
    let mut store = MemoryStore::default();
    for seed in 1..=3 {
        let video = extract(&make(seed, 24.0), RATE, Density::Reference);
        let fingerprint = Fingerprint {
            content: [seed as u8; 32],
            duration: 24.0,
            density: Density::Reference,
            audio: StreamState::Absent,
            video,
        };
        let id = likeness_core::ReferenceId(seed as u32 - 1);
        let (words, motion) = fingerprint
            .video
            .analysed()
            .map_or_else(Default::default, |v| {
                let motion = MotionCurve::of(&v.thumbnails);
                (postings(v, id), motion.postings(id))
            });
        store.add(fingerprint, [Vec::new(), words, motion]);
    }
    store
}

fn find(frames: &[Picture], rate: f64, store: &MemoryStore) -> Vec<Found> {
    find_at(1e-6, frames, rate, store)
}

/// What chance gives with a probability of at most `limit`.
fn find_at(limit: f64, frames: &[Picture], rate: f64, store: &MemoryStore) -> Vec<Found> {
    match extract(frames, rate, Density::Query) {
        StreamState::Analysed(query) => {
            match_video(&query, store, limit, &VideoMatchConfig::default()).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

#[test]
fn no_match_is_likelier_to_be_chance_than_asked_for() {
    let store = library();
    // Small, noisy and ever shorter, a copy is ever less sure.
    let mut random = 1u64;
    let mut noise = move || {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
        (random >> 40) % 160
    };
    let noisy = changed(&film(1, 12.0), |picture| {
        let small = scaled(picture, WIDTH / 3, HEIGHT / 3);
        Picture::from(WIDTH, HEIGHT, |x, y| {
            let inside = x < small.width && y < small.height;
            let value = if inside {
                u64::from(small.at(x, y))
            } else {
                90
            };
            ((value + noise()) / 2) as u8
        })
    });
    let films = [12.0, 8.0, 6.0, 5.0, 4.0, 3.5].map(|seconds| &noisy[..(seconds * RATE) as usize]);
    let mut counts = Vec::new();
    for limit in [0.5, 1e-6, 1e-12, 1e-14] {
        let found: Vec<Found> = films
            .iter()
            .flat_map(|film| find_at(limit, film, RATE, &store))
            .collect();
        assert!(found.iter().all(|f| f.false_positive_probability <= limit));
        let right = found.iter().all(|f| f.reference.0 == 0);
        assert!(right || limit > 1e-6, "{limit}: {found:?}");
        counts.push(found.len());
    }
    assert!(counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
    assert!(counts[0] > counts[3] && counts[1] > 0, "{counts:?}");
}

fn changed(frames: &[Picture], change: impl FnMut(&Picture) -> Picture) -> Vec<Picture> {
    frames.iter().map(change).collect()
}

fn scaled(picture: &Picture, width: usize, height: usize) -> Picture {
    Picture::from(width, height, |x, y| {
        picture.at(x * picture.width / width, y * picture.height / height)
    })
}

#[test]
fn disguised_copies_are_found_and_measured() {
    let store = library();
    let excerpt = &film(2, 24.0)[60..180];
    let check = |name: &str, frames: &[Picture], rate: f64, want: [f64; 4], mirrored: bool| {
        let found = find(frames, rate, &store);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert_eq!(found[0].reference.0, 1, "{name}");
        let segment = &found[0].segments[0];
        let speed = rate / RATE;
        assert!((segment.speed - speed).abs() < 0.02, "{name}: {segment:?}");
        let start = 6.0 + segment.query_start * speed;
        assert!(
            (segment.reference_start - start).abs() < 0.3,
            "{name}: {segment:?}"
        );
        assert_eq!(segment.mirrored, Some(mirrored), "{name}");
        let rect = segment.query_rect.unwrap();
        assert!(rect.iou(&want.into()) > 0.85, "{name}: {segment:?}");
    };
    let full = [0.0, 0.0, 1.0, 1.0];
    check("clean", excerpt, RATE, full, false);
    check("faster", excerpt, RATE * 1.08, full, false);
    check("slower", excerpt, RATE * 0.92, full, false);
    let mirror = changed(excerpt, |p| {
        Picture::from(WIDTH, HEIGHT, |x, y| p.at(WIDTH - 1 - x, y))
    });
    check("mirror", &mirror, RATE, full, true);
    let crop = changed(excerpt, |p| {
        Picture::from(WIDTH * 9 / 10, HEIGHT * 8 / 10, |x, y| {
            p.at(x + WIDTH / 10, y + HEIGHT / 5)
        })
    });
    check("crop", &crop, RATE, full, false);
    let half = changed(excerpt, |p| {
        let small = scaled(p, WIDTH / 2, HEIGHT / 2);
        Picture::from(WIDTH, HEIGHT, |x, y| {
            match (x.checked_sub(WIDTH / 4), y.checked_sub(HEIGHT / 4)) {
                (Some(x), Some(y)) if x < small.width && y < small.height => small.at(x, y),
                _ => 0,
            }
        })
    });
    check("half", &half, RATE, [0.25, 0.25, 0.75, 0.75], false);
}

/// Soft lights that wander, now fast, now slow: nothing that a corner could be found in.
fn lights(seed: u64, seconds: f64) -> Vec<Picture> {
    let phase = |k: usize| (seed * 7 + k as u64 * 13) as f64;
    let pace = 0.7 + 0.6 * (seed as f64 * 0.618).fract();
    (0..(seconds * RATE) as usize)
        .map(|i| {
            let t = i as f64 / RATE;
            let lights: Vec<(f64, f64)> = (0..3)
                .map(|k| {
                    let hurry =
                        (t * pace + phase(k)).sin() + 0.6 * (t * 2.5 * pace + 2.0 * phase(k)).sin();
                    let way = t * 0.3 + hurry + phase(k);
                    (
                        0.5 + 0.4 * way.sin(),
                        0.5 + 0.4 * (1.3 * way + phase(k)).cos(),
                    )
                })
                .collect();
            Picture::from(WIDTH, HEIGHT, |x, y| {
                let (x, y) = (x as f64 / HEIGHT as f64, y as f64 / HEIGHT as f64);
                let aspect = WIDTH as f64 / HEIGHT as f64;
                let light = |&(u, v): &(f64, f64)| {
                    let far = (x - u * aspect).powi(2) + (y - v).powi(2);
                    70.0 * (-far / 0.05).exp()
                };
                (20.0 + lights.iter().map(light).sum::<f64>()) as u8
            })
        })
        .collect()
}

#[test]
fn a_picture_that_wanders_is_found() {
    let store = library();
    let check = |name: &str, before: f64, window: &dyn Fn(f64) -> [f64; 3]| {
        // A window of the film: its left and top edge and its size, in shares of the picture.
        let shown = |seed: u64| -> Vec<Picture> {
            let frames = film(seed, 18.0);
            let wander = |(i, p): (usize, &Picture)| {
                let [left, top, size] = window(i as f64 / RATE);
                Picture::from(WIDTH, HEIGHT, |x, y| {
                    let place = |v: usize, from: f64, whole: usize| {
                        (from * whole as f64 + v as f64 * size).round() as usize
                    };
                    p.at(place(x, left, WIDTH), place(y, top, HEIGHT))
                })
            };
            let wandering = frames.iter().enumerate().skip(30).map(wander);
            film(8, before).into_iter().chain(wandering).collect()
        };
        let found = find(&shown(2), RATE, &store);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert_eq!(found[0].reference.0, 1, "{name}");
        let segment = &found[0].segments[0];
        assert!((segment.speed - 1.0).abs() < 0.02, "{name}: {segment:?}");
        assert!(
            (segment.reference_start - segment.query_start + before - 3.0).abs() < 0.3,
            "{name}: {segment:?}"
        );
        let other = find(&shown(9), RATE, &store);
        assert!(other.is_empty(), "{name}: {other:?}");
    };
    let sways = |by: f64, pace: f64| {
        move |t: f64| {
            let edge = |pace: f64| by * (1.0 + (pace * t).sin());
            [edge(pace), edge(1.2 * pace), 1.0 - 2.0 * by]
        }
    };
    check("shakes", 0.0, &sways(0.045, 4.0));
    check("shakes, after another film", 36.0, &sways(0.045, 4.0));
    check("sways", 0.0, &sways(0.06, 2.0));
    check("pans", 0.0, &sways(0.1, 1.0));
    check("zooms in", 0.0, &|t| {
        let size = 1.0 / (1.0 + 0.06 * t);
        [(1.0 - size) / 2.0, (1.0 - size) / 2.0, size]
    });
}

/// A head that moves before a wall, each `take` to other places.
fn head(take: u64, seconds: f64) -> Vec<Picture> {
    let (head, places) = (texture(900), texture(1000 + take));
    // Where it is every 0.8 s.
    let place = |number: usize, axis: usize| f64::from(places.at(5 * number, 50 * axis)) / 255.0;
    let frames = 0..(seconds * RATE) as usize;
    let shown = frames.map(|i| {
        let time = i as f64 / RATE / 0.8;
        let at = |axis: usize, range: f64| {
            let (from, to) = (place(time as usize, axis), place(time as usize + 1, axis));
            (range * (from + (to - from) * time.fract())) as usize
        };
        let (left, top) = (50 + at(0, 40.0), 5 + at(1, 24.0));
        Picture::from(WIDTH, HEIGHT, |x, y| {
            match (x.checked_sub(left), y.checked_sub(top)) {
                (Some(x), Some(y)) if x < 180 && y < 150 => head.at(x, y),
                _ => 90,
            }
        })
    });
    shown.collect()
}

#[test]
fn one_head_at_another_time_is_not_found() {
    let store = library_of(head);
    for take in 4..10 {
        let found = find(&head(take, 15.0), RATE, &store);
        assert!(found.is_empty(), "take {take}: {found:?}");
    }
}

#[test]
fn pictures_without_corners_are_found_by_how_they_move() {
    let store = library_of(lights);
    let excerpt = &lights(2, 24.0)[60..210];
    let check = |name: &str, frames: &[Picture], mirrored: bool| {
        let found = find(frames, RATE, &store);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        let segment = &found[0].segments[0];
        assert_eq!(found[0].reference.0, 1, "{name}");
        assert_eq!(segment.mirrored, Some(mirrored), "{name}: {segment:?}");
        let start = 6.0 + segment.query_start;
        assert!(
            (segment.reference_start - start).abs() < 0.3,
            "{name}: {segment:?}"
        );
    };
    check("clean", excerpt, false);
    let cut = changed(excerpt, |p| {
        Picture::from(WIDTH, HEIGHT * 8 / 10, |x, y| p.at(x, y + HEIGHT / 5))
    });
    check("top cut", &cut, false);
    let mirror = changed(excerpt, |p| {
        Picture::from(WIDTH, HEIGHT, |x, y| p.at(WIDTH - 1 - x, y))
    });
    check("mirror", &mirror, true);
    for other in 4..12 {
        let found = find(&lights(other, 15.0), RATE, &store);
        assert!(found.is_empty(), "other lights {other}: {found:?}");
    }
}

/// A line of ragged letters that rises over black.
fn rising_title(seed: u64, seconds: f64) -> Vec<Picture> {
    let letters = texture(seed + 40);
    let frame = |i: usize| {
        let top = HEIGHT as f64 * 1.1 - i as f64 / RATE * 22.0;
        Picture::from(WIDTH, HEIGHT, |x, y| {
            let (line, gap) = (y as f64 - top, x % 24 > 19);
            let inside = (40..280).contains(&x) && (0.0..34.0).contains(&line) && !gap;
            let shade = |line: f64| letters.at(2 * x, 2 * line as usize) / 128 * 255;
            if inside { shade(line) } else { 0 }
        })
    };
    (0..(seconds.min(11.0) * RATE) as usize)
        .map(frame)
        .collect()
}

/// A spectrum that scrolls past: the lower, the louder, with onsets and notes.
fn scrolling_spectrum(seed: u64, seconds: f64) -> Vec<Picture> {
    let notes = texture(seed + 60);
    let frame = |i: usize| {
        Picture::from(WIDTH, HEIGHT, |x, y| {
            let moment = (x + i * 3) as f64;
            let beat = 1.0 - (moment / 21.0 + seed as f64 * 0.37).fract();
            let depth = (y as f64 / HEIGHT as f64).powi(2);
            let note = f64::from(notes.at((x + i * 3) % (2 * WIDTH), 2 * y)) / 255.0;
            (230.0 * depth * (0.4 + 0.35 * note + 0.25 * beat)) as u8
        })
    };
    (0..(seconds * RATE) as usize).map(frame).collect()
}

/// Out of step such films agree as little as any; in step they agree because of how they move.
#[test]
fn other_pictures_that_move_alike_are_not_found() {
    type Maker = fn(u64, f64) -> Vec<Picture>;
    let check = |name: &str, make: Maker| {
        let store = library_of(make);
        for other in 4..10 {
            let found = find(&make(other, 14.0), RATE, &store);
            assert!(found.is_empty(), "{name} {other}: {found:?}");
        }
        let copy = find(&make(2, 14.0), RATE, &store);
        assert_eq!(copy.len(), 1, "{name}: {copy:?}");
        assert_eq!(copy[0].reference.0, 1, "{name}");
    };
    check("rising title", rising_title);
    check("scrolling spectrum", scrolling_spectrum);
}

#[test]
fn what_is_not_a_copy_is_not_found() {
    let store = library();
    let check = |name: &str, frames: &[Picture]| {
        let found = find(frames, RATE, &store);
        assert!(found.is_empty(), "{name}: {found:?}");
    };
    check("another film", &film(9, 15.0));
    let excerpt = &film(2, 24.0)[60..180];
    check("one frame standing still", &vec![excerpt[10].clone(); 120]);
    check("black", &vec![Picture::new(WIDTH, HEIGHT); 120]);
    // A card of the reference, shown for three seconds before something else.
    let mut card = vec![excerpt[10].clone(); 30];
    card.extend(film(8, 10.0));
    check("a shared card", &card);
    // The same studio: the reference's background stands still behind another film.
    let studio: Vec<Picture> = film(7, 12.0)
        .iter()
        .map(|p| {
            let small = scaled(p, 120, 90);
            let mut scene = excerpt[10].clone();
            for y in 0..90 {
                scene.data[(y + 60) * WIDTH + 100..][..120]
                    .copy_from_slice(&small.data[y * 120..][..120]);
            }
            scene
        })
        .collect();
    check("a shared background", &studio);
}

/// A picture between two, `part` of the way.
fn between(from: &Picture, to: &Picture, part: f64) -> Picture {
    Picture::from(from.width, from.height, |x, y| {
        let (a, b) = (f64::from(from.at(x, y)), f64::from(to.at(x, y)));
        (a + (b - a) * part).round() as u8
    })
}

/// A card that fades in from black, stands, and fades out again: four seconds.
fn card(picture: &Picture) -> Vec<Picture> {
    let black = Picture::new(WIDTH, HEIGHT);
    let part = |i: usize| (i.min(39 - i) as f64 / 8.0).min(1.0);
    (0..40).map(|i| between(&black, picture, part(i))).collect()
}

/// `film` with `logo` in a corner.
fn branded(film: Vec<Picture>, logo: &Picture) -> Vec<Picture> {
    changed(&film, |p| {
        Picture::from(WIDTH, HEIGHT, |x, y| match y < 45 && x >= WIDTH - 80 {
            true => logo.at(x, y),
            false => p.at(x, y),
        })
    })
}

/// `film` in a window of `template`.
fn framed(film: &[Picture], template: &Picture) -> Vec<Picture> {
    changed(film, |p| {
        let small = scaled(p, WIDTH * 3 / 5, HEIGHT * 3 / 5);
        Picture::from(WIDTH, HEIGHT, |x, y| {
            match (x.checked_sub(WIDTH / 4), y.checked_sub(HEIGHT / 4)) {
                (Some(x), Some(y)) if x < small.width && y < small.height => small.at(x, y),
                _ => template.at(x, y),
            }
        })
    })
}

/// `own` under a display that moves: a strip along the bottom, and a map in a corner.
fn displayed(own: Vec<Picture>) -> Vec<Picture> {
    let display = film(903, own.len() as f64 / RATE);
    let both = own.iter().zip(&display).map(|(own, display)| {
        Picture::from(WIDTH, HEIGHT, |x, y| {
            match y >= HEIGHT * 5 / 6 || (x >= WIDTH * 4 / 5 && y < HEIGHT / 3) {
                true => display.at(x, y),
                false => own.at(x, y),
            }
        })
    });
    both.collect()
}

/// What two works may share without being copies of each other.
#[test]
fn a_shared_wrapping_is_no_match_of_what_is_wrapped() {
    let (title, logo) = (texture(901), texture(902));
    let wrapped = |kind: usize, seed: u64, seconds: f64| -> Vec<Picture> {
        let own = film(seed, seconds);
        match kind {
            0 => framed(&own, &title),
            1 => branded(own, &logo),
            2 => [card(&title), own].concat(),
            3 => [vec![Picture::new(WIDTH, HEIGHT); 30], own].concat(),
            4 => displayed(own),
            _ => [
                card(&title),
                branded(framed(&own, &title), &logo),
                card(&title),
            ]
            .concat(),
        }
    };
    let names = [
        "template",
        "logo",
        "title card",
        "black intro",
        "display",
        "title card, template, logo",
    ];
    for (kind, name) in names.into_iter().enumerate() {
        let store = library_of(|seed, seconds| wrapped(kind, seed, seconds));
        let other = find(&wrapped(kind, 7, 12.0), RATE, &store);
        assert!(other.is_empty(), "{name}: {other:?}");
        // The same wrapping does not hide a copy either.
        let copy = find(&wrapped(kind, 2, 15.0), RATE, &store);
        assert_eq!(copy.len(), 1, "{name}: {copy:?}");
        assert_eq!(copy[0].reference.0, 1, "{name}");
    }
}

/// A picture that stands still.
fn still(picture: &Picture, seconds: f64) -> Vec<Picture> {
    let picture = scaled(picture, WIDTH, HEIGHT);
    vec![picture; (seconds * RATE) as usize]
}

/// A slide: bars and an emblem that all of them have, and lines of words of its own.
fn slide(seed: u64) -> Picture {
    let (layout, words) = (texture(903), texture(seed + 950));
    Picture::from(WIDTH, HEIGHT, |x, y| {
        let line = (40..160).contains(&y) && y % 24 < 8 && (20..260).contains(&x);
        match (y < 24 || (x > 280 && y > 140), line) {
            (true, _) => layout.at(x, y),
            (_, true) => words.at(3 * x, 3 * y) / 2,
            _ => 220,
        }
    })
}

/// A sheet of numbers in a grid, the same numbers from a field on, under words of its own.
fn sheet(first: usize, seed: u64) -> Picture {
    let words = texture(seed + 970);
    let numbers: Vec<Picture> = (0..42).map(|i| texture(1000 + i)).collect();
    Picture::from(WIDTH, HEIGHT, |x, y| {
        let (column, row) = (x / 45, y.saturating_sub(30) / 30);
        let (left, top) = (x % 45, y.saturating_sub(30) % 30);
        if y < 24 {
            return words.at(x, y);
        }
        if y < 30 || column > 6 {
            return 230;
        }
        let number = (7 * row + column).checked_sub(first);
        let written = (6..20).contains(&left) && (6..18).contains(&top);
        match number.filter(|&number| written && number < 31) {
            Some(number) => numbers[number].at(3 * left, 3 * top) / 2,
            None if left < 2 || top < 2 => 40,
            None => 230,
        }
    })
}

/// What reference, if any, a picture that stands still is found to be.
#[test]
fn a_picture_that_stands_still_is_found_where_all_of_it_is_shown() {
    let check = |name: &str, store: &MemoryStore, frames: &[Picture], want: Option<u32>| {
        let found = find(frames, RATE, store);
        let references: Vec<u32> = found.iter().map(|f| f.reference.0).collect();
        assert_eq!(references, Vec::from_iter(want), "{name}: {found:?}");
        let segments = found.iter().flat_map(|f| &f.segments);
        for s in segments {
            assert_eq!((s.still, s.speed), (Some(true), 1.0), "{name}");
            assert_eq!((s.query_start, s.reference_start), (0.0, 0.0), "{name}");
            let length = frames.len() as f64 / RATE;
            assert!((s.query_end - length).abs() < 1.0, "{name}: {s:?}");
            assert!(s.reference_end <= 24.0, "{name}: {s:?}");
        }
    };
    let store = library_of(|seed, seconds| still(&texture(seed), seconds));
    let copy = still(&texture(2), 12.0);
    check("the same", &store, &copy, Some(1));
    let longer = still(&texture(2), 60.0);
    check("far longer than the reference", &store, &longer, Some(1));
    let mirrored = changed(&copy, |p| {
        Picture::from(WIDTH, HEIGHT, |x, y| p.at(WIDTH - 1 - x, y))
    });
    check("mirrored", &store, &mirrored, Some(1));
    let darker = changed(&copy, |p| {
        Picture::from(WIDTH, HEIGHT, |x, y| p.at(x, y) / 2 + 20)
    });
    check("darker", &store, &darker, Some(1));
    check("another", &store, &still(&texture(9), 12.0), None);
    let opening = [copy.clone(), film(7, 6.0)].concat();
    check("a film that opens with it", &store, &opening, None);
    check("too short", &store, &copy[..20], None);
    let template = still(&texture(901), 1.0);
    let wrapped = |seed: u64| framed(&still(&texture(seed), 24.0), &template[0]);
    let framed = library_of(|seed, _| wrapped(seed));
    check("in a template", &framed, &wrapped(2), Some(1));
    check("in the same template", &framed, &wrapped(9), None);
    let slides = library_of(|seed, seconds| still(&slide(seed), seconds));
    check("a slide", &slides, &still(&slide(2), 12.0), Some(1));
    check("another slide", &slides, &still(&slide(9), 12.0), None);
    let sheets = library_of(|seed, seconds| still(&sheet(0, seed), seconds));
    for fields in 1..5 {
        let other = still(&sheet(fields, 9), 12.0);
        check("another sheet, shifted", &sheets, &other, None);
    }
    // A film that goes on to move is not known by a scene that stands.
    let opens = library_of(|seed, _| [still(&texture(seed), 12.0), film(seed, 12.0)].concat());
    check("its opening alone", &opens, &copy, None);
}

/// A title that stays for six seconds while something moves across it, then a film that hardly moves.
fn titled(seed: u64, seconds: f64) -> Vec<Picture> {
    let (title, front) = (texture(910), texture(911));
    let opening = (0..60).map(|i| {
        let (left, top) = (i * 4, 30 + i);
        Picture::from(WIDTH, HEIGHT, |x, y| {
            match (x.checked_sub(left), y.checked_sub(top)) {
                (Some(x), Some(y)) if x < 70 && y < 50 => front.at(x, y),
                _ => title.at(x, y),
            }
        })
    });
    let back = texture(seed);
    let slow = (0..(seconds * RATE) as usize)
        .map(|i| Picture::from(WIDTH, HEIGHT, |x, y| 64 + back.at(x + i / 2, y) / 4));
    opening.chain(slow).collect()
}

#[test]
fn a_match_ends_where_the_films_part() {
    let store = library_of(titled);
    let found = find(&titled(7, 15.0), RATE, &store);
    assert_eq!(found.len(), 3, "all of them share the title");
    for found in found {
        let [segment] = &found.segments[..] else {
            panic!("{found:?}");
        };
        assert!(segment.query_start < 0.5, "{segment:?}");
        assert!((segment.query_end - 6.0).abs() < 0.6, "{segment:?}");
    }
}

/// A thing that moves before one ground.
fn stage(seed: u64, seconds: f64) -> Vec<Picture> {
    let (back, front) = (texture(700 + seed), texture(800 + seed));
    let frames = 0..(seconds * RATE) as usize;
    let shown = frames.map(|i| {
        let turn = |pace: f64| (i as f64 / RATE * pace + seed as f64).sin();
        let left = (60.0 + 50.0 * turn(0.9)) as usize;
        let top = (40.0 + 30.0 * turn(1.3)) as usize;
        Picture::from(WIDTH, HEIGHT, |x, y| {
            match (x.checked_sub(left), y.checked_sub(top)) {
                (Some(x), Some(y)) if x < 90 && y < 70 => front.at(x, y),
                _ => back.at(x, y),
            }
        })
    });
    shown.collect()
}

#[test]
fn a_frozen_picture_is_no_copy_of_what_goes_on() {
    let store = library_of(stage);
    let check = |seconds: f64, frozen: usize, want: std::ops::Range<f64>| {
        let mut frames = stage(2, seconds);
        let last = frames[frames.len() - 1].clone();
        frames.extend(std::iter::repeat_n(last, frozen));
        let found = find(&frames, RATE, &store);
        let best = found
            .first()
            .unwrap_or_else(|| panic!("{seconds} s are not found"));
        assert_eq!(best.reference.0, 1);
        let end = best.segments[0].query_end;
        assert!(want.contains(&end), "{seconds} s: to {end}");
    };
    check(16.0, 0, 15.5..16.1);
    // Means over three seconds still hold the film, and as long the ends are not sharper.
    check(8.0, 120, 7.0..12.5);
}

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
