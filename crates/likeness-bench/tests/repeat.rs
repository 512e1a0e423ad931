//! One seed gives the same queries bit for bit and the same matches, run after run.

use likeness_distort::{Generated, Random, render_generated};
use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Hz.
const RATE: u32 = 22_050;

/// A suite whose rows draw by lot: noise, a place, a pattern.
const SUITE: &str = r#"
name = "tiny"
seed = SEED
seconds = 6
queries = 2

[[row]]
name = "audio: noise 10 dB"
audio = [{ step = "noise", snr_db = 10 }]

[[row]]
name = "audio: speed +5 %, opus 32k"
audio = [{ step = "speed", factor = 1.05 }]
encode = { codec = "opus", kbps = 32 }

[[row]]
name = "video: half size over a pattern"
video = [{ step = "inset", size = 0.5, background = "pattern" }]
"#;

/// Four notes a second that ring out, as WAV.
fn write_music(path: &Path, seed: u64, seconds: u32) {
    let mut random = Random::new(seed, "music");
    let mut sound = vec![0.0_f64; (seconds * RATE) as usize];
    for beat in 0..seconds * 4 {
        let start = (beat * RATE / 4) as usize;
        let hertz = 110.0 * (random.index(48) as f64 / 12.0).exp2();
        for (index, sample) in sound[start..].iter_mut().take(RATE as usize).enumerate() {
            let time = index as f64 / f64::from(RATE);
            *sample += 0.2 * (-4.0 * time).exp() * (TAU * hertz * time).sin();
        }
    }
    let bytes = 2 * sound.len() as u32;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt ");
    // PCM, one channel, 16 bits.
    file.extend(16_u32.to_le_bytes());
    file.extend([1_u16, 1].iter().flat_map(|field| field.to_le_bytes()));
    file.extend(
        [RATE, 2 * RATE]
            .iter()
            .flat_map(|field| field.to_le_bytes()),
    );
    file.extend([2_u16, 16].iter().flat_map(|field| field.to_le_bytes()));
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    let sample = |value: &f64| ((value * 20_000.0) as i16).to_le_bytes();
    file.extend(sound.iter().flat_map(sample));
    fs::write(path, file).expect("written");
}

/// A folder of media, and an empty one in place of the corpus.
fn media() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let mine = folder.path().join("mine");
    fs::create_dir_all(&mine).expect("created");
    for seed in 0..6 {
        write_music(&mine.join(format!("{seed}.wav")), seed, 12);
    }
    for (name, what) in [("card", Generated::TestCard), ("grain", Generated::Noise)] {
        let mut random = Random::new(1, name);
        render_generated(&what, 10.0, &mine, name, &mut random).expect("drawn");
    }
    folder
}

fn bench(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_likeness-bench"));
    command.args(arguments).output().expect("started")
}

/// Runs the suite with this seed; the folder of its results.
fn run(folder: &Path, name: &str, seed: u64) -> PathBuf {
    let suite = folder.join(format!("{name}.toml"));
    fs::write(&suite, SUITE.replace("SEED", &seed.to_string())).expect("written");
    let path = |part: &str| folder.join(part).to_string_lossy().into_owned();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/corpus.tsv");
    let output = bench(&[
        "run",
        "--suite",
        &suite.to_string_lossy(),
        "--manifest",
        &manifest.to_string_lossy(),
        "--corpus",
        &path("no corpus"),
        "--media",
        &path("mine"),
        "--out",
        &path(name),
    ]);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    folder.join(name).join("tiny-own")
}

fn compare(one: &Path, other: &Path) -> Output {
    bench(&["compare", &one.to_string_lossy(), &other.to_string_lossy()])
}

#[test]
fn one_seed_gives_the_same_queries_and_matches_and_another_does_not() {
    let folder = media();
    let (first, again) = (run(folder.path(), "a", 1), run(folder.path(), "b", 1));
    let same = compare(&first, &again);
    let told = String::from_utf8_lossy(&same.stdout).into_owned();
    assert!(same.status.success(), "{told}");
    // Six copies and the works with nothing to find.
    assert!(!told.contains(" 0 queries"), "{told}");
    for entry in fs::read_dir(first.join("queries")).expect("listed") {
        let name = entry.expect("an entry").file_name();
        let read = |run: &Path| fs::read(run.join("queries").join(&name)).expect("read");
        assert!(read(&first) == read(&again), "{name:?} differs");
    }
    // The scores, and not only the matches; something was found, so that they mean something.
    let csv = |run: &Path| fs::read_to_string(run.join("report.csv")).expect("read");
    assert_eq!(csv(&first), csv(&again));
    let report = fs::read_to_string(first.join("report.jsonl")).expect("read");
    assert!(report.contains("query_coverage"), "nothing was found");

    let other = compare(&first, &run(folder.path(), "c", 2));
    assert!(!other.status.success());
    let complaint = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(complaint.contains("differs"), "{complaint}");
}
