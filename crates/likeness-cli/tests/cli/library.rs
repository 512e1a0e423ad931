//! The library's own commands.

use crate::sandbox::{Sandbox, shared};

const ALL: [&str; 5] = [
    "film/alpha.mp4",
    "film/beta.mp4",
    "one.mp3",
    "three.mp3",
    "two.mp3",
];

#[test]
fn adding_again_changes_nothing() {
    let sandbox = Sandbox::with_library();
    assert_eq!(sorted(sandbox.listed()), ALL);
    let references = shared("references");
    let again = sandbox
        .run(&["add", references.to_str().unwrap()])
        .ends_in(0);
    assert!(!again.stdout.contains("added"), "{again:#?}");
    assert_eq!(sorted(sandbox.listed()), ALL);
}

/// Films take longer than songs.
#[test]
fn references_are_kept_in_the_order_in_which_they_were_named() {
    let sandbox = Sandbox::new();
    let references = shared("references");
    let add = ["add", "--jobs", "5", references.to_str().unwrap()];
    sandbox.run(&add).ends_in(0);
    assert_eq!(sandbox.listed(), ALL);
}

/// Who cannot be told what was added must not believe that all is well; it is in the library all the
/// same.
#[test]
fn what_cannot_be_told_is_an_error_and_nobody_listening_is_none() {
    let check = |outlet: &str, status: i32, words: &[&str]| {
        let sandbox = Sandbox::new();
        let song = shared("references/one.mp3");
        let script = format!("\"$0\" \"$@\" {outlet}");
        let ran = sandbox.shell(&script, &["add", song.to_str().unwrap()]);
        ran.ends_in(status).complains(words);
        assert_eq!(sandbox.listed(), ["one.mp3"]);
    };
    check("> /dev/full", 2, &["could be told"]);
    check("| true; exit ${PIPESTATUS[0]}", 0, &[]);
}

#[test]
fn the_same_content_under_another_name_is_not_added_twice() {
    let sandbox = Sandbox::with_library();
    sandbox.copy("references/one.mp3", "copy.mp3");
    sandbox.run(&["add", "copy.mp3"]).ends_in(0);
    assert_eq!(sorted(sandbox.listed()), ALL);
}

#[test]
fn removed_references_are_gone_and_space_comes_back() {
    let sandbox = Sandbox::with_library();
    let before = size(&sandbox);
    sandbox
        .run(&["remove", "one.mp3", "film/alpha.mp4"])
        .ends_in(0);
    assert_eq!(
        sorted(sandbox.listed()),
        ["film/beta.mp4", "three.mp3", "two.mp3"]
    );
    let one = shared("references/one.mp3");
    sandbox.run(&["match", one.to_str().unwrap()]).ends_in(1);

    sandbox.run(&["compact"]).ends_in(0);
    assert!(
        size(&sandbox) < before * 3 / 4,
        "{} of {before}",
        size(&sandbox)
    );
    sandbox.run(&["verify"]).ends_in(0);
    assert_eq!(
        sorted(sandbox.listed()),
        ["film/beta.mp4", "three.mp3", "two.mp3"]
    );
    let two = shared("references/two.mp3");
    sandbox.run(&["match", two.to_str().unwrap()]).ends_in(0);

    sandbox.run(&["add", one.to_str().unwrap()]).ends_in(0);
    sandbox.run(&["match", one.to_str().unwrap()]).ends_in(0);
}

#[test]
fn removing_what_is_not_there_is_an_error() {
    let sandbox = Sandbox::with_library();
    sandbox
        .run(&["remove", "nothing.mp3", "one.mp3"])
        .ends_in(2)
        .complains(&["nothing.mp3"]);
    assert_eq!(sandbox.listed().len(), ALL.len() - 1);
}

#[test]
fn info_and_list_tell_what_is_there() {
    let sandbox = Sandbox::with_library();
    let list = sandbox.run(&["list"]).ends_in(0);
    for identifier in ALL {
        assert!(
            list.stdout.contains(identifier),
            "{identifier} in {list:#?}"
        );
    }
    let info = sandbox.run(&["info", "--format", "jsonl"]).ends_in(0);
    let info: serde_json::Value = serde_json::from_str(&info.stdout).unwrap();
    assert_eq!(info["references"], 5);
    let csv = sandbox.run(&["list", "--format", "csv"]).ends_in(0);
    assert_eq!(csv.stdout.lines().count(), 1 + ALL.len(), "{csv:#?}");
}

#[test]
fn a_library_that_is_not_there_is_an_error() {
    let sandbox = Sandbox::new();
    for args in [
        ["list"].as_slice(),
        &["info"],
        &["verify"],
        &["match", "x.mp3"],
    ] {
        sandbox.run(args).ends_in(2).complains(&["library"]);
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// Bytes of the library's files.
fn size(sandbox: &Sandbox) -> u64 {
    files(sandbox)
        .iter()
        .map(|f| f.metadata().unwrap().len())
        .sum()
}

/// All files of the library.
pub(crate) fn files(sandbox: &Sandbox) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![sandbox.path("library")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                &mut directories
            } else {
                &mut files
            }
            .push(path);
        }
    }
    files.sort();
    files
}
