//! Everything that can be wrong with an input: each is told clearly, the rest of the batch is
//! done all the same, and the program ends in 2.

use crate::media;
use crate::sandbox::{Ran, Sandbox, shared};
use likeness_core::report::Status;
use std::path::Path;
use std::process::Command;

/// Runs `match` and `add` on `bad` amid good files, and asserts that both name it.
#[track_caller]
fn check(sandbox: &Sandbox, bad: &str, code: &str, words: &[&str]) {
    let words: Vec<&str> = [&[bad], words].concat();
    sandbox.copy("references/one.mp3", "good.mp3");
    sandbox.copy("stranger.mp3", "new.mp3");

    let ran = sandbox.run(&["match", "--format=jsonl", "good.mp3", bad, "good.mp3"]);
    let reports = ran.ends_in(2).complains(&words).reports();
    assert_eq!(reports.len(), 3);
    for good in [&reports[0], &reports[2]] {
        assert_eq!((good.status, good.matches.len()), (Status::Ok, 1));
    }
    assert_eq!(
        (reports[1].query.as_str(), reports[1].status),
        (bad, Status::Error)
    );
    let error = reports[1].error.as_ref().unwrap();
    assert_eq!(error.code, code, "{error:?}");
    assert!(
        words.iter().all(|word| error.message.contains(word)),
        "{error:?}"
    );

    let ran = sandbox
        .run(&["add", bad, "new.mp3"])
        .ends_in(2)
        .complains(&words);
    assert_eq!(ran.stdout, "added new.mp3\n");
    sandbox.run(&["remove", "new.mp3"]).ends_in(0);
    let ran = sandbox.run(&["compare", "--format=jsonl", "good.mp3", bad]);
    assert_eq!(ran.ends_in(2).complains(&words).reports().len(), 1);
}

#[test]
fn a_missing_file() {
    check(
        &Sandbox::with_library(),
        "gone.mp3",
        "not_found",
        &["no such file"],
    );
}

#[test]
fn an_empty_file() {
    let sandbox = Sandbox::with_library();
    sandbox.write("empty.mp3", b"");
    check(&sandbox, "empty.mp3", "empty", &["empty"]);
}

#[test]
fn text_named_as_music() {
    let sandbox = Sandbox::with_library();
    sandbox.write(
        "text.mp3",
        "We were going to record a song here.\n"
            .repeat(200)
            .as_bytes(),
    );
    check(&sandbox, "text.mp3", "not_media", &[]);
}

#[test]
fn a_film_whose_index_is_cut_off() {
    let sandbox = Sandbox::with_library();
    let options = ["-c", "copy", "-movflags", "-faststart"];
    media::ffmpeg(
        &shared("stranger.mp4"),
        &options,
        &sandbox.path("whole.mp4"),
    );
    let bytes = std::fs::read(sandbox.path("whole.mp4")).unwrap();
    sandbox.write("cut.mp4", &bytes[..bytes.len() / 2]);
    check(&sandbox, "cut.mp4", "damaged", &["incomplete"]);
}

#[test]
fn a_film_that_breaks_off() {
    let sandbox = Sandbox::with_library();
    let bytes = std::fs::read(shared("references/film/alpha.mp4")).unwrap();
    sandbox.write("cut.mp4", &bytes[..bytes.len() * 6 / 10]);
    let ran = sandbox
        .run(&["match", "--format=jsonl", "cut.mp4"])
        .ends_in(2);
    let report = ran.complains(&["cut.mp4"]).reports().remove(0);
    assert_eq!(report.error.unwrap().code, "truncated");
    assert_eq!(report.matches[0].reference, "film/alpha.mp4");

    sandbox
        .run(&["add", "cut.mp4"])
        .ends_in(2)
        .complains(&["cut.mp4"]);
    assert!(!sandbox.listed().contains(&"cut.mp4".to_owned()));
    let added = sandbox
        .run(&["add", "--allow-truncated", "cut.mp4"])
        .ends_in(0);
    assert_eq!(added.stdout, "added cut.mp4\n");
}

#[test]
fn streams_of_no_length() {
    let sandbox = Sandbox::with_library();
    media::write_wav(&sandbox.path("nothing.wav"), &[]);
    check(&sandbox, "nothing.wav", "zero_length", &[]);
    // A film with a header for sound and picture, and nothing of either.
    let options = ["-frames:v", "0", "-frames:a", "0"];
    let film = shared("references/film/alpha.mp4");
    media::ffmpeg(&film, &options, &sandbox.path("nothing.avi"));
    check(&sandbox, "nothing.avi", "zero_length", &["zero length"]);
    media::ffmpeg(&film, &options, &sandbox.path("nothing.mkv"));
    check(&sandbox, "nothing.mkv", "damaged", &["it ends before"]);
}

#[test]
fn a_directory_without_media() {
    let sandbox = Sandbox::with_library();
    sandbox.write("papers/notes.txt", b"nothing to hear");
    sandbox.copy("references/one.mp3", "good.mp3");
    for command in ["match", "add"] {
        let ran = sandbox.run(&[command, "papers", "good.mp3"]).ends_in(2);
        ran.complains(&["papers", "no media files"]);
    }
    let ran = sandbox
        .run(&["match", "--format=jsonl", "papers", "good.mp3"])
        .ends_in(2);
    let reports = ran.reports();
    assert_eq!(reports[0].error.as_ref().unwrap().code, "no_media");
    assert_eq!(reports[1].matches.len(), 1);
}

#[test]
fn a_damaged_fingerprint_file() {
    let sandbox = Sandbox::with_library();
    sandbox.copy("stranger.mp3", "new.mp3");
    sandbox
        .run(&["fingerprint", "new.mp3", "-o", "new.likeness"])
        .ends_in(0);
    let mut bytes = std::fs::read(sandbox.path("new.likeness")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    sandbox.write("new.likeness", &bytes);
    check(&sandbox, "new.likeness", "damaged", &[]);
}

/// Root reads every file, so the program runs as somebody else.
#[test]
#[cfg(unix)]
fn a_file_that_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::with_library();
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&sandbox.copy("references/two.mp3", "secret.mp3"), 0o000);
    mode(&sandbox.copy("references/one.mp3", "good.mp3"), 0o644);
    mode(&sandbox.path("."), 0o755);
    let mut command = sandbox.command(&["match", "--format=jsonl", "secret.mp3", "good.mp3"]);
    if std::fs::read(sandbox.path("secret.mp3")).is_ok() {
        // The build directory may be closed to others as well.
        std::fs::copy(command.get_program(), sandbox.path("likeness")).unwrap();
        let mut other = Command::new("setpriv");
        other
            .args([
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "./likeness",
            ])
            .args(command.get_args())
            .current_dir(sandbox.path("."))
            .env("LIKENESS_LIBRARY", sandbox.path("library"));
        command = other;
    }
    let ran = Ran::of(command.output().unwrap()).ends_in(2);
    let reports = ran.complains(&["secret.mp3", "ermission denied"]).reports();
    assert_eq!(reports[0].error.as_ref().unwrap().code, "unreadable");
    assert_eq!(reports[1].matches.len(), 1);
}

#[test]
fn a_library_that_is_a_file() {
    let sandbox = Sandbox::new();
    sandbox.write("library", b"what is this?");
    sandbox.copy("references/one.mp3", "one.mp3");
    for args in [
        ["add", "one.mp3"].as_slice(),
        &["match", "one.mp3"],
        &["list"],
        &["verify"],
    ] {
        sandbox.run(args).ends_in(2).complains(&["library", "file"]);
    }
    assert_eq!(
        std::fs::read(sandbox.path("library")).unwrap(),
        b"what is this?"
    );
}

#[test]
fn a_directory_that_is_no_library() {
    let sandbox = Sandbox::new();
    sandbox.write("library/letter.txt", b"Dear reader");
    sandbox.copy("references/one.mp3", "one.mp3");
    for args in [
        ["add", "one.mp3"].as_slice(),
        &["match", "one.mp3"],
        &["list"],
    ] {
        sandbox
            .run(args)
            .ends_in(2)
            .complains(&["library", "not a likeness library"]);
    }
}

#[test]
fn a_library_of_a_newer_format() {
    let sandbox = Sandbox::with_library();
    let manifest = sandbox.path("library/manifest");
    let mut bytes = std::fs::read(&manifest).unwrap();
    // The version follows eight bytes of magic (FORMAT.md).
    bytes[8..12].copy_from_slice(&9u32.to_le_bytes());
    std::fs::write(&manifest, &bytes).unwrap();
    sandbox.copy("references/one.mp3", "one.mp3");
    for args in [
        ["add", "one.mp3"].as_slice(),
        &["match", "one.mp3"],
        &["list"],
        &["verify"],
    ] {
        sandbox
            .run(args)
            .ends_in(2)
            .complains(&["library", "newer"]);
    }
    assert_eq!(std::fs::read(&manifest).unwrap(), bytes);
}

#[test]
fn a_library_file_with_one_wrong_byte() {
    let sandbox = Sandbox::with_library();
    sandbox.copy("references/one.mp3", "one.mp3");
    sandbox.run(&["verify"]).ends_in(0);
    for file in crate::library::files(&sandbox) {
        let sound = std::fs::read(&file).unwrap();
        // The lock file says nothing about what the library holds.
        if file.ends_with("lock") || sound.is_empty() {
            continue;
        }
        let name = file.file_name().unwrap().to_str().unwrap();
        for share in [0.1, 0.5, 0.99] {
            let mut bytes = sound.clone();
            bytes[(sound.len() as f64 * share) as usize] ^= 0x40;
            std::fs::write(&file, &bytes).unwrap();
            sandbox.run(&["verify"]).ends_in(2).complains(&[name]);
            let ran = sandbox
                .run(&["match", "one.mp3"])
                .ends_in(2)
                .complains(&[name]);
            assert_eq!(ran.stdout, "", "{name} at {share}");
        }
        std::fs::write(&file, &sound).unwrap();
    }
    sandbox.run(&["match", "one.mp3"]).ends_in(0);
}
