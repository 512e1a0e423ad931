//! Pictures that stand still.

use crate::films::*;
use likeness_index::MemoryStore;

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
