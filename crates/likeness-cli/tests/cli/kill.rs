//! Killing `add` at any moment loses nothing that it reported.

use crate::media;
use crate::sandbox::Sandbox;
use std::fs::File;
use std::time::{Duration, Instant};

const KILLS: u32 = 50;
const SONGS: u64 = 12;

#[test]
fn what_was_reported_as_added_survives_kills() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("songs")).unwrap();
    for seed in 0..SONGS {
        let song = media::music(100 + seed, 8.0);
        media::write_wav(&sandbox.path(&format!("songs/{seed}.wav")), &song);
    }
    let begin = Instant::now();
    sandbox.run(&["add", "songs"]).ends_in(0);
    let whole = begin.elapsed();
    std::fs::remove_dir_all(sandbox.path("library")).unwrap();

    let mut moment = 0x1234_5678_u32;
    for round in 0..KILLS {
        moment = moment.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let reported = add_and_kill(&sandbox, whole.mul_f64(f64::from(moment >> 16) / 60_000.0));
        if !sandbox.path("library").exists() {
            assert!(reported.is_empty());
            continue;
        }
        // Killed before the first publication, there is nothing to open yet.
        if reported.is_empty() && sandbox.run(&["list"]).stderr.contains("no library") {
            continue;
        }
        let listed = sandbox.listed();
        for identifier in &reported {
            assert!(
                listed.contains(identifier),
                "round {round}: {identifier} in {listed:?}"
            );
        }
        sandbox.run(&["verify", "--quiet"]).ends_in(0);
        if listed.len() as u64 == SONGS {
            std::fs::remove_dir_all(sandbox.path("library")).unwrap();
        }
    }
    sandbox.run(&["add", "songs"]).ends_in(0);
    assert_eq!(sandbox.listed().len() as u64, SONGS);
}

/// Kills `add` after `delay` and returns what it had reported by then.
fn add_and_kill(sandbox: &Sandbox, delay: Duration) -> Vec<String> {
    let log = sandbox.path("added.log");
    let mut child = sandbox
        .command(&["add", "--quiet", "songs"])
        .stdout(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    std::thread::sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    let added = |line: &str| line.strip_prefix("added ").map(str::to_owned);
    // The last line may have been cut off.
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    whole.lines().filter_map(added).collect()
}
