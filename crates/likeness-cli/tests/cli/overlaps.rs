//! References that share content are told.

use crate::media;
use crate::sandbox::{Sandbox, shared};

/// The pairs that `likeness overlaps` tells, with the other's start of each stretch.
fn pairs(sandbox: &Sandbox, status: i32) -> Vec<(String, String, String, f64)> {
    let ran = sandbox
        .run(&["overlaps", "--format", "jsonl"])
        .ends_in(status);
    let row = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let mut names = [text("one"), text("other")];
        names.sort();
        let [one, other] = names;
        let distance = row["other_start"].as_f64().unwrap() - row["one_start"].as_f64().unwrap();
        (one, other, text("media"), distance.abs())
    };
    ran.stdout.lines().map(row).collect()
}

#[test]
fn references_that_share_content_are_told_until_it_is_excluded() {
    let sandbox = Sandbox::with_library();
    assert_eq!(pairs(&sandbox, 1), []);

    // A remaster, faster, and a trailer.
    let options = [
        "-ss",
        "5",
        "-t",
        "20",
        "-af",
        "asetrate=22050*1.05,aresample=22050",
    ];
    media::ffmpeg(
        &shared("references/one.mp3"),
        &options,
        &sandbox.path("again.mp3"),
    );
    let options = ["-ss", "8", "-t", "15", "-vf", "scale=240:180"];
    let film = shared("references/film/beta.mp4");
    media::ffmpeg(&film, &options, &sandbox.path("trailer.mp4"));
    sandbox.run(&["add", "again.mp3", "trailer.mp4"]).ends_in(0);
    let mut found = pairs(&sandbox, 0);
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found.len(), 2, "{found:#?}");
    let names = |i: usize| {
        (
            found[i].0.as_str(),
            found[i].1.as_str(),
            found[i].2.as_str(),
        )
    };
    assert_eq!(names(0), ("again.mp3", "one.mp3", "audio"));
    assert_eq!(names(1), ("film/beta.mp4", "trailer.mp4", "video"));
    assert!((found[0].3 - 5.0).abs() < 0.5, "{found:#?}");
    assert!((found[1].3 - 8.0).abs() < 0.5, "{found:#?}");

    // Excluded in one of two, the other may still be claimed by mistake.
    let exclude = |arguments: &[&str]| sandbox.run(&[&["exclude"], arguments].concat()).ends_in(0);
    exclude(&["one.mp3", "0", "30"]);
    assert_eq!(pairs(&sandbox, 0).len(), 2);
    exclude(&["again.mp3", "0", "30"]);
    assert_eq!(pairs(&sandbox, 0).len(), 1);
}
