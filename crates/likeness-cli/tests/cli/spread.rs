//! Work spread over machines: parts of a batch, folders of fingerprints, libraries brought together.

use crate::sandbox::{Ran, Sandbox, shared};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

const ALL: [&str; 5] = [
    "film/alpha.mp4",
    "film/beta.mp4",
    "one.mp3",
    "three.mp3",
    "two.mp3",
];

fn references() -> String {
    shared("references").to_str().unwrap().to_owned()
}

fn listed(sandbox: &Sandbox) -> Vec<String> {
    let mut names = sandbox.listed();
    names.sort();
    names
}

/// Bytes of all files below a folder, by name.
fn tree(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                    files.push((name.to_owned(), fs::read(&path).unwrap()));
                }
            }
        }
    }
    files.sort();
    files
}

#[test]
fn libraries_of_parts_make_the_whole_when_merged() {
    let sandbox = Sandbox::new();
    for shard in 0..3 {
        let (library, shard) = (format!("part{shard}"), format!("{shard}/3"));
        sandbox
            .run(&[
                "add",
                "--library",
                &library,
                "--shard",
                &shard,
                &references(),
            ])
            .ends_in(0);
    }
    let merge = ["merge", "part0", "part1", "part2"];
    let parts = merge[1..].iter().filter(|part| sandbox.path(part).exists());
    let parts: Vec<&str> = parts.copied().collect();
    sandbox.run(&[&["merge"], &parts[..]].concat()).ends_in(0);
    assert_eq!(listed(&sandbox), ALL);
    sandbox.run(&["verify", "--quiet"]).ends_in(0);
    // Matching finds in it what it finds in a library made at once.
    let whole = Sandbox::with_library();
    for query in ["references/one.mp3", "both.mp4", "stranger.mp3"] {
        let query = shared(query);
        let args = ["match", "--format", "jsonl", query.to_str().unwrap()];
        assert_eq!(sandbox.run(&args).reports(), whole.run(&args).reports());
    }
    // Once more changes nothing; its own references were removed for good.
    let again = sandbox.run(&[&["merge"], &parts[..]].concat()).ends_in(0);
    assert!(again.stdout.contains("0 added, 0 replaced"), "{again:#?}");
    assert_eq!(listed(&sandbox), ALL);
}

#[test]
fn a_name_that_stands_for_two_contents_is_an_error_unless_it_may_be_replaced() {
    let sandbox = Sandbox::new();
    sandbox.copy("references/one.mp3", "here/song.mp3");
    sandbox.copy("references/two.mp3", "there/song.mp3");
    sandbox.copy("references/three.mp3", "there/other.mp3");
    sandbox.run(&["add", "here"]).ends_in(0);
    sandbox
        .run(&["add", "--library", "more", "there"])
        .ends_in(0);
    let content = |sandbox: &Sandbox| {
        let list = sandbox.run(&["list", "--format", "csv"]).ends_in(0).stdout;
        list.lines()
            .find(|line| line.starts_with("song.mp3"))
            .unwrap()
            .to_owned()
    };
    let before = content(&sandbox);
    sandbox
        .run(&["merge", "more"])
        .ends_in(2)
        .complains(&["more", "song.mp3"]);
    assert_eq!(listed(&sandbox), ["other.mp3", "song.mp3"]);
    assert_eq!(content(&sandbox), before);
    sandbox.run(&["merge", "--replace", "more"]).ends_in(0);
    assert_ne!(content(&sandbox), before);
    let two = shared("references/two.mp3");
    let report = &sandbox
        .run(&["match", "--format=jsonl", two.to_str().unwrap()])
        .reports()[0];
    assert_eq!(report.matches[0].reference, "song.mp3");
}

#[test]
fn what_is_no_library_cannot_be_merged_and_makes_none() {
    let sandbox = Sandbox::new();
    sandbox.write("file", b"text");
    sandbox
        .run(&["merge", "nowhere"])
        .ends_in(2)
        .complains(&["nowhere"]);
    sandbox
        .run(&["merge", "file"])
        .ends_in(2)
        .complains(&["file"]);
    assert!(!sandbox.path("library").exists());
    // What can be merged is.
    let all = references();
    sandbox.run(&["add", "--library", "sound", &all]).ends_in(0);
    sandbox
        .run(&["merge", "nowhere", "sound", "file"])
        .ends_in(2)
        .complains(&["nowhere"])
        .complains(&["file"]);
    assert_eq!(listed(&sandbox), ALL);
}

#[test]
fn damage_is_not_merged_and_what_is_sound_can_be_had() {
    let sandbox = Sandbox::new();
    for name in ["one.mp3", "two.mp3"] {
        let file = shared(&format!("references/{name}"));
        let add = ["add", "--library", "old", file.to_str().unwrap()];
        sandbox.run(&add).ends_in(0);
    }
    let run = sandbox.path("old/runs/00000000.run");
    let mut bytes = fs::read(&run).unwrap();
    bytes[100] ^= 1;
    fs::write(&run, bytes).unwrap();
    sandbox
        .run(&["merge", "old"])
        .ends_in(2)
        .complains(&["00000000.run", "checksum"]);
    assert!(!sandbox.path("library").exists());
    sandbox
        .run(&["merge", "--salvage", "old"])
        .ends_in(2)
        .complains(&["00000000.run", "1 reference in it left out"]);
    assert_eq!(listed(&sandbox), ["two.mp3"]);
}

#[test]
fn a_fingerprint_is_written_to_where_a_link_leads() {
    let sandbox = Sandbox::new();
    let (link, song) = (sandbox.path("link"), shared("references/one.mp3"));
    std::os::unix::fs::symlink("song.print", &link).unwrap();
    let song = song.to_str().unwrap();
    sandbox.run(&["fingerprint", song, "-o", "link"]).ends_in(0);
    sandbox.run(&["fingerprint", song, "-o", "file"]).ends_in(0);
    assert!(link.is_symlink());
    let read = |name: &str| fs::read(sandbox.path(name)).unwrap();
    assert_eq!(read("song.print"), read("file"));
}

#[test]
fn folders_of_fingerprints_stand_for_the_media() {
    let sandbox = Sandbox::new();
    let whole = ["fingerprint", &references(), "--out", "whole"];
    sandbox.run(&whole).ends_in(0);
    // In parts, each by its own process, they come out the same, byte for byte.
    for shard in ["0/2", "1/2"] {
        let args = [
            "fingerprint",
            &references(),
            "--out",
            "parts",
            "--shard",
            shard,
        ];
        sandbox.run(&args).ends_in(0);
    }
    assert_eq!(tree(&sandbox.path("whole")), tree(&sandbox.path("parts")));
    sandbox.run(&["add", "parts"]).ends_in(0);
    assert_eq!(listed(&sandbox), ALL);
    // The media themselves are known by now.
    let again = sandbox.run(&["add", &references()]).ends_in(0);
    assert!(!again.stdout.contains("added"), "{again:#?}");
}

#[test]
fn a_batch_is_taken_up_where_it_was_left() {
    let sandbox = Sandbox::new();
    let args = [
        "fingerprint",
        &references(),
        "--out",
        "out",
        "--format",
        "jsonl",
    ];
    sandbox.run(&args).ends_in(0);
    let good = tree(&sandbox.path("out"));
    // One is gone, one is damaged, and a process was killed while it wrote a third.
    fs::remove_file(sandbox.path("out/one.mp3")).unwrap();
    fs::write(sandbox.path("out/two.mp3"), &good[4].1[..1000]).unwrap();
    fs::write(sandbox.path("out/._likeness-x"), &good[3].1[..1000]).unwrap();
    let records = records(&sandbox.run(&args).ends_in(0));
    let made = records.iter().filter(|r| r["was_there"] == false);
    let mut made: Vec<&str> = made.map(|r| r["identifier"].as_str().unwrap()).collect();
    made.sort_unstable();
    assert_eq!(made, ["one.mp3", "two.mp3"]);
    fs::remove_file(sandbox.path("out/._likeness-x")).unwrap();
    assert_eq!(tree(&sandbox.path("out")), good);
}

#[test]
fn what_is_no_fingerprint_is_not_overwritten() {
    let sandbox = Sandbox::new();
    let song = sandbox.copy("references/one.mp3", "songs/one.mp3");
    let before = fs::read(&song).unwrap();
    sandbox
        .run(&["fingerprint", "songs", "--out", "songs"])
        .ends_in(2)
        .complains(&["songs/one.mp3", "not overwritten"]);
    sandbox.copy("references/two.mp3", "references/two.mp3");
    let one = |output: &str| sandbox.run(&["fingerprint", "references/two.mp3", "-o", output]);
    one("songs/one.mp3")
        .ends_in(2)
        .complains(&["songs/one.mp3", "not overwritten"]);
    one("two.likeness").ends_in(0);
    one("two.likeness").ends_in(0);
    assert_eq!(fs::read(&song).unwrap(), before);
}

/// Lines of JSON.
fn records(ran: &Ran) -> Vec<serde_json::Value> {
    let lines = ran.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn paths_from_a_pipe_come_out_as_records() {
    let sandbox = Sandbox::new();
    sandbox.copy("references/one.mp3", "songs/one.mp3");
    sandbox.write("songs/bad.mp3", b"this is no music");
    let mut child = sandbox
        .command(&["fingerprint", "--stdin", "--format", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(b"songs/one.mp3\nsongs/bad.mp3\n\nsongs/missing.mp3")
        .unwrap();
    drop(pipe);
    // A bad file is a record, and no failure of the whole.
    let ran = Ran::of(child.wait_with_output().unwrap()).ends_in(0);
    let mut records = records(&ran);
    records.sort_by_key(|record| record["path"].as_str().unwrap().to_owned());
    let outline: Vec<[&str; 2]> = records
        .iter()
        .map(|r| [&r["path"], &r["status"]].map(|v| v.as_str().unwrap()))
        .collect();
    let want = [
        ["songs/bad.mp3", "error"],
        ["songs/missing.mp3", "error"],
        ["songs/one.mp3", "ok"],
    ];
    assert_eq!(outline, want);
    assert!(records[0]["error"]["code"].is_string());
    // The record holds what a plain run writes.
    sandbox
        .run(&["fingerprint", "songs/one.mp3", "-o", "one.likeness"])
        .ends_in(0);
    let plain = fs::read(sandbox.path("one.likeness")).unwrap();
    let coded = records[2]["fingerprint"].as_str().unwrap();
    assert_eq!(BASE64_STANDARD.decode(coded).unwrap(), plain);
}
