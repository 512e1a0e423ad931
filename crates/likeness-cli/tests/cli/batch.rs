//! Output formats and order of a batch, and readers that stop reading.

use crate::media;
use crate::sandbox::{Ran, Sandbox, shared};
use likeness_core::report::Status;
use std::process::Stdio;

/// A directory of uploads: two copies, one stranger and a file that is no media.
fn uploads() -> Sandbox {
    let sandbox = Sandbox::with_library();
    std::fs::create_dir_all(sandbox.path("up")).unwrap();
    let cut = ["-ss", "3", "-t", "20"];
    media::ffmpeg(
        &shared("references/one.mp3"),
        &cut,
        &sandbox.path("up/b.mp3"),
    );
    media::ffmpeg(
        &shared("references/two.mp3"),
        &cut,
        &sandbox.path("up/c.ogg"),
    );
    sandbox.copy("stranger.mp3", "up/a.mp3");
    sandbox.write("up/d.mp3", b"this is no music");
    sandbox
}

#[test]
fn reports_come_in_the_order_of_the_inputs() {
    let sandbox = uploads();
    let ran = sandbox
        .run(&["match", "--format=jsonl", "gone.mp3", "up", "up/b.mp3"])
        .ends_in(2);
    let seen: Vec<_> = ran
        .reports()
        .into_iter()
        .map(|r| (r.query, r.status, r.matches.len()))
        .collect();
    let want = [
        ("gone.mp3", Status::Error, 0),
        ("up/a.mp3", Status::Ok, 0),
        ("up/b.mp3", Status::Ok, 1),
        ("up/c.ogg", Status::Ok, 1),
        ("up/d.mp3", Status::Error, 0),
        ("up/b.mp3", Status::Ok, 1),
    ];
    assert_eq!(
        seen,
        want.map(|(query, status, n)| (query.to_owned(), status, n))
    );
}

#[test]
fn every_format_tells_every_query() {
    let sandbox = uploads();
    let table = sandbox.run(&["match", "up"]).ends_in(2).stdout;
    for word in [
        "a.mp3",
        "(nothing found)",
        "b.mp3",
        "one.mp3",
        "c.ogg",
        "two.mp3",
        "d.mp3",
        "(error",
    ] {
        assert!(table.contains(word), "{word} in\n{table}");
    }
    let csv = sandbox
        .run(&["match", "up", "--format", "csv"])
        .ends_in(2)
        .stdout;
    assert_eq!(csv.lines().count(), 5, "{csv}");
    assert!(csv.starts_with("query,status,"), "{csv}");
}

#[test]
fn results_are_the_same_on_any_number_of_jobs() {
    let sandbox = uploads();
    let reports = |jobs: &str| {
        sandbox
            .run(&["match", "up", "--format=jsonl", "--jobs", jobs])
            .stdout
    };
    assert_eq!(reports("1"), reports("4"));
}

#[test]
fn progress_goes_to_standard_error_and_can_be_silenced() {
    let sandbox = uploads();
    let told = sandbox.run(&["match", "up/b.mp3"]).ends_in(0);
    assert!(told.stderr.contains("x real time"), "{told:#?}");
    let quiet = sandbox.run(&["match", "--quiet", "up/b.mp3"]).ends_in(0);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn a_reader_that_stops_is_no_error() {
    let sandbox = uploads();
    for format in ["table", "jsonl", "csv"] {
        let mut child = sandbox
            .command(&[
                "match", "--quiet", "--format", format, "up/b.mp3", "up/c.ogg",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ran = Ran::of(child.wait_with_output().unwrap()).ends_in(0);
        assert_eq!(ran.stderr, "", "{format}");
    }
}
