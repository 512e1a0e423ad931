//! What moves alike, or has something in common, is no copy.

use crate::films::*;

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

/// A street before a camera that stands still: dark cars, each with details of its own, pass along two lanes, each
/// `take` at other times.
fn traffic(take: u64, seconds: f64) -> Vec<Picture> {
    let street = texture(910);
    let drawn = |number: usize, part: u64| {
        let mix = |value: u64| (value ^ (value >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mix(mix((take * 1000 + number as u64) * 8 + part)) >> 56) as usize
    };
    let cars: Vec<Picture> = (0..seconds as usize)
        .map(|number| texture(10_000 + 100 * take + number as u64))
        .collect();
    let frames = 0..(seconds * RATE) as usize;
    let shown = frames.map(|i| {
        let mut picture = Picture::from(WIDTH, HEIGHT, |x, y| street.at(x, y));
        for (number, car) in cars.iter().enumerate() {
            let begins = number as f64 + drawn(number, 0) as f64 / 255.0;
            let way = (i as f64 / RATE - begins) * 80.0;
            let (left, top) = match drawn(number, 1) % 2 {
                0 => (way as isize - 60, 70),
                _ => (WIDTH as isize - way as isize, 115),
            };
            for (x, y) in (0..60).flat_map(|x| (0..30).map(move |y| (x, y))) {
                let at = left + x as isize;
                if (0..WIDTH as isize).contains(&at) {
                    picture.data[(top + y) * WIDTH + at as usize] = 10 + car.at(x, y) / 5;
                }
            }
        }
        picture
    });
    shown.collect()
}

#[test]
fn another_hour_of_one_street_is_not_found() {
    let store = library_of(traffic);
    for take in 4..10 {
        let found = find(&traffic(take, 15.0), RATE, &store);
        assert!(found.is_empty(), "take {take}: {found:?}");
    }
    let copy = find(&traffic(2, 15.0), RATE, &store);
    assert_eq!(copy.len(), 1, "{copy:?}");
    assert_eq!(copy[0].reference.0, 1);
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

/// A disc that moves in the middle of a picture that stands still.
fn counted(seed: u64, seconds: f64) -> Vec<Picture> {
    let ground = texture(seed);
    let disc = |x: usize, y: usize| {
        let (dx, dy) = (x as f64 - 160.0, y as f64 - 90.0);
        dx.hypot(dy) < 60.0
    };
    changed(&film(904, seconds), |p| {
        Picture::from(WIDTH, HEIGHT, |x, y| match disc(x, y) {
            true => p.at(x, y),
            false => ground.at(x, y),
        })
    })
}

/// The same over a picture without detail: light that falls from one side.
fn counted_softly(seed: u64, seconds: f64) -> Vec<Picture> {
    let (sin, cos) = (2.0 * seed as f64).sin_cos();
    let ground = Picture::from(WIDTH, HEIGHT, |x, y| {
        let (dx, dy) = (x as f64 / 160.0 - 1.0, y as f64 / 90.0 - 1.0);
        (128.0 + 80.0 * (cos * dx + sin * dy)) as u8
    });
    let disc = |x: usize, y: usize| (x as f64 - 160.0).hypot(y as f64 - 90.0) < 60.0;
    changed(&film(904, seconds), |p| {
        Picture::from(WIDTH, HEIGHT, |x, y| match disc(x, y) {
            true => p.at(x, y),
            false => ground.at(x, y),
        })
    })
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
            5 => counted(seed, seconds),
            6 => counted_softly(seed, seconds),
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
        "countdown over a still picture",
        "countdown over a picture without detail",
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
