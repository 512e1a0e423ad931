//! Disguised copies are found, and measured.

use crate::films::*;
use likeness_match::Found;

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

#[test]
fn a_copy_of_which_half_is_hidden_is_found() {
    let store = library();
    let (excerpt, other) = (&film(2, 24.0)[60..180], film(8, 12.0));
    let check = |name: &str, hidden: &dyn Fn(usize, usize) -> bool| {
        let both = excerpt.iter().zip(&other).map(|(own, other)| {
            Picture::from(WIDTH, HEIGHT, |x, y| match hidden(x, y) {
                true => other.at(x, y),
                false => own.at(x, y),
            })
        });
        let found = find(&both.collect::<Vec<_>>(), RATE, &store);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert_eq!(found[0].reference.0, 1, "{name}");
    };
    check("a face in the corner", &|x, y| x > 170 && y > 70);
    check("the left half", &|x, _| x < WIDTH / 2);
    check("the upper half", &|_, y| y < HEIGHT / 2);
    check("a banner above and below", &|_, y| !(40..140).contains(&y));
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
