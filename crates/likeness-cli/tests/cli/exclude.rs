//! Excluded stretches make no match.

use crate::media;
use crate::sandbox::{Sandbox, shared};
use likeness_core::report::Segment;

/// What is found of `reference` in `query`, in order of query time.
fn segments(sandbox: &Sandbox, query: &str, reference: &str) -> Vec<Segment> {
    let reports = sandbox
        .run(&["match", "--format", "jsonl", query])
        .reports();
    let matches = reports.into_iter().flat_map(|report| report.matches);
    let own = matches.filter(|found| found.reference == reference);
    own.flat_map(|found| found.segments).collect()
}

/// An upload of the seconds 5 to 25 of a reference, with different stretches of it excluded.
fn check(from: &str, reference: &str, upload: &str) {
    let sandbox = Sandbox::with_library();
    let options = ["-ss", "5", "-t", "20"];
    media::ffmpeg(&shared(from), &options, &sandbox.path(upload));
    let found = || segments(&sandbox, upload, reference);
    assert_eq!(found().len(), 1);
    let exclude = |arguments: &[&str]| {
        let arguments = [&["exclude"], arguments].concat();
        sandbox.run(&arguments).ends_in(0)
    };

    // A part of it: what is left ends where the exclusion begins.
    let told = exclude(&[reference, "0:18", "22.5"]);
    assert!(told.stdout.contains("0:18.0 - 0:22.5"), "{told:#?}");
    let left = found();
    let longest = left.iter().max_by(|a, b| {
        let length = |s: &Segment| s.reference_end - s.reference_start;
        length(a).total_cmp(&length(b))
    });
    let end = longest.unwrap().reference_end;
    assert!((end - 18.0).abs() < 0.6, "{left:#?}");
    for segment in &left {
        let apart = segment.reference_end <= 18.05 || segment.reference_start >= 22.45;
        assert!(apart, "{left:#?}");
    }

    // All of it: nothing is left, and compaction does not change that.
    exclude(&[reference, "4", "26"]);
    assert_eq!(found(), []);
    sandbox.run(&["remove", "three.mp3"]).ends_in(0);
    sandbox.run(&["compact"]).ends_in(0);
    sandbox.run(&["verify"]).ends_in(0);
    assert_eq!(found(), []);
    let list = exclude(&["--list", "--format", "csv"]);
    assert_eq!(
        list.stdout,
        format!("reference,start,end\n{reference},4.0,26.0\n")
    );

    // Taken back in part, and then all.
    let told = exclude(&["--remove", reference, "4", "6"]);
    assert!(told.stdout.contains("0:06.0 - 0:26.0"), "{told:#?}");
    exclude(&["--remove", reference]);
    assert_eq!(exclude(&["--list", "--format", "jsonl"]).stdout, "");
    assert_eq!(found().len(), 1);
}

#[test]
fn excluded_sound_makes_no_match() {
    check("references/one.mp3", "one.mp3", "up.ogg");
}

#[test]
fn excluded_pictures_make_no_match() {
    check("references/film/alpha.mp4", "film/alpha.mp4", "up.mp4");
}

#[test]
fn what_cannot_be_excluded_is_told() {
    let sandbox = Sandbox::with_library();
    let run = |arguments: &[&str]| sandbox.run(&[&["exclude"], arguments].concat());
    run(&["nothing.mp3", "1", "2"])
        .ends_in(2)
        .complains(&["nothing.mp3"]);
    run(&["one.mp3", "9", "9"])
        .ends_in(2)
        .complains(&["end after"]);
    run(&["one.mp3", "500", "600"])
        .ends_in(2)
        .complains(&["one.mp3", "ends before"]);
    for end in ["1.0001", "1.0006"] {
        run(&["one.mp3", "1.0", end])
            .ends_in(2)
            .complains(&["a millisecond at least"]);
    }
    run(&["one.mp3", "soon", "9"])
        .ends_in(2)
        .complains(&["soon"]);
    run(&["one.mp3"]).ends_in(2);
    run(&[]).ends_in(2);
    assert_eq!(run(&["--list", "--format", "jsonl"]).ends_in(0).stdout, "");
}
