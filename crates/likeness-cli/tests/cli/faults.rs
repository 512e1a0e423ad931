//! A disk that takes no more, a directory that may not be written, flipped bytes.

use crate::library::files;
use crate::sandbox::{Ran, Sandbox, shared};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

const HELD: usize = 5;

/// Runs the program in a shell that first does `before`.
fn after(sandbox: &Sandbox, before: &str, args: &[&str]) -> Ran {
    sandbox.shell(&format!("{before}; exec \"$0\" \"$@\""), args)
}

/// What cannot be written because files may not grow beyond `kilobytes`, as on a full disk, is an
/// error that names a file of the library, and nothing that was there is lost.
#[test]
fn a_full_disk_loses_nothing() {
    let stranger = shared("stranger.mp3");
    let other = Sandbox::new();
    other.run(&["add", stranger.to_str().unwrap()]).ends_in(0);
    let other = other.path("library");
    let changes: [&[&str]; 4] = [
        &["add", stranger.to_str().unwrap()],
        &["merge", other.to_str().unwrap()],
        &["remove", "one.mp3"],
        &["compact"],
    ];
    for change in changes {
        let mut worked = 0;
        for kilobytes in [0, 1, 4, 16, 64, 256, 100_000] {
            let sandbox = Sandbox::with_library();
            if change[0] == "compact" {
                sandbox.run(&["remove", "two.mp3"]).ends_in(0);
            }
            let before = sandbox.listed();
            // A signal would end the program, where a full disk gives an error.
            let limit = format!("trap '' XFSZ; ulimit -f {kilobytes}");
            let ran = after(&sandbox, &limit, change);
            if ran.status == 0 {
                worked += 1;
            } else {
                ran.ends_in(2).complains(&["library"]);
                assert_eq!(sandbox.listed(), before, "{change:?} in {kilobytes} kB");
            }
            sandbox.run(&["verify", "--quiet"]).ends_in(0);
            // Once there is room, it goes on.
            sandbox.run(&["add", stranger.to_str().unwrap()]).ends_in(0);
            assert!(sandbox.listed().len() >= HELD);
        }
        assert!((1..7).contains(&worked), "{change:?}: {worked}");
    }
}

#[test]
fn a_directory_that_may_not_be_written_is_named_and_can_be_read() {
    let sandbox = Sandbox::with_library();
    let stranger = shared("stranger.mp3");
    let library = sandbox.path("library");
    fs::remove_file(library.join("lock")).unwrap();
    for directory in [library.join("runs"), library.clone()] {
        fs::set_permissions(directory, Permissions::from_mode(0o555)).unwrap();
    }
    // The superuser may write everywhere, unless these are taken from it.
    let unprivileged = "capabilities=-dac_override,-dac_read_search; \
        [ $(id -u) != 0 ] || set -- --bounding-set=$capabilities --inh-caps=$capabilities \"$0\" \"$@\"; \
        [ $(id -u) != 0 ] || exec setpriv \"$@\"";
    let changes: [&[&str]; 3] = [
        &["add", stranger.to_str().unwrap()],
        &["remove", "one.mp3"],
        &["compact"],
    ];
    for change in changes {
        after(&sandbox, unprivileged, change)
            .ends_in(2)
            .complains(&["library", "denied"]);
    }
    let one = shared("references/one.mp3");
    after(&sandbox, unprivileged, &["match", one.to_str().unwrap()]).ends_in(0);
    for directory in [library.clone(), library.join("runs")] {
        fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
    }
    sandbox.run(&["verify", "--quiet"]).ends_in(0);
    assert_eq!(sandbox.listed().len(), HELD);
}

/// Whatever byte of whatever file is wrong, matching says so and names the file.
#[test]
fn a_flipped_byte_at_any_of_500_places_is_an_error_that_names_the_file() {
    let sandbox = Sandbox::with_library();
    let one = shared("references/one.mp3");
    sandbox
        .run(&["fingerprint", one.to_str().unwrap(), "-o", "one.likeness"])
        .ends_in(0);
    let files: Vec<_> = files(&sandbox)
        .into_iter()
        .filter(|f| !f.ends_with("lock"))
        .collect();
    let sizes: Vec<u64> = files.iter().map(|f| f.metadata().unwrap().len()).collect();
    let mut state = 0x9e37_79b9_u64;
    for flip in 0..500 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        // Every other flip in the manifest, which is small.
        let manifest = files.iter().position(|f| f.ends_with("manifest")).unwrap();
        let which = match flip % 2 {
            0 => manifest,
            _ => (state >> 40) as usize % files.len(),
        };
        let at = (state >> 16) % sizes[which];
        let good = fs::read(&files[which]).unwrap();
        let mut bad = good.clone();
        bad[at as usize] ^= 1 << (state >> 60 & 7);
        fs::write(&files[which], bad).unwrap();
        let name = files[which].file_name().unwrap().to_str().unwrap();
        let ran = sandbox
            .run(&["match", "--format", "jsonl", "one.likeness"])
            .ends_in(2);
        assert!(
            ran.stdout.is_empty() && ran.stderr.contains(name),
            "{name} {at}: {ran:#?}"
        );
        fs::write(&files[which], good).unwrap();
    }
    sandbox.run(&["match", "one.likeness"]).ends_in(0);
}
