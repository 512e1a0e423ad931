//! Every decoder of bytes from outside, as one function each, for fuzzing: with the feature
//! `fuzzing`, and for the short run of every test.
//!
//! A checksum would keep all but the luckiest inputs from what lies behind it, so each function
//! puts the right one in place first.

use crate::catalogue;
use crate::lock::Holder;
use crate::manifest::Manifest;
use crate::postings;
use crate::run;
use likeness_core::{AudioFingerprint, Fingerprint, VideoFingerprint};

/// A decoder that must return, whatever it is given.
pub type Decoder = fn(&[u8]);

/// All of them, by name.
pub const DECODERS: [(&str, Decoder); 8] = [
    ("fingerprint", fingerprint),
    ("audio", audio),
    ("video", video),
    ("manifest", manifest),
    ("catalogue", catalogue),
    ("layout", layout),
    ("postings", postings),
    ("lock", lock),
];

/// The bytes with the BLAKE3 of all but the last 32 in place of these.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let body = &bytes[..bytes.len().saturating_sub(32)];
    [body, blake3::hash(body).as_bytes()].concat()
}

/// A fingerprint file. What is read must be written as it was.
pub fn fingerprint(bytes: &[u8]) {
    let bytes = sealed(bytes);
    if let Ok(read) = Fingerprint::decode(&bytes) {
        let again = Fingerprint::decode(&read.encode());
        assert!(again.is_ok_and(|again| again == read));
        drop(read.to_reference().encode());
    }
}

/// A sound's fingerprint, as runs hold it.
pub fn audio(bytes: &[u8]) {
    if let Ok(read) = AudioFingerprint::decode(bytes) {
        let again = AudioFingerprint::decode(&read.encode());
        assert!(again.is_ok_and(|again| again == read));
        drop(read.to_reference());
    }
}

/// A picture's fingerprint, as runs hold it.
pub fn video(bytes: &[u8]) {
    if let Ok(read) = VideoFingerprint::decode(bytes) {
        let again = VideoFingerprint::decode(&read.encode());
        assert!(again.is_ok_and(|again| again == read));
        drop(read.to_reference());
    }
}

/// A library's manifest.
pub fn manifest(bytes: &[u8]) {
    if let Ok(read) = Manifest::decode(&sealed(bytes)) {
        assert_eq!(Manifest::decode(&read.encode()), Ok(read));
    }
}

/// A run's catalogue.
pub fn catalogue(bytes: &[u8]) {
    if let Ok(entries) = catalogue::decode(bytes) {
        let again = catalogue::decode(&catalogue::encode(&entries));
        assert_eq!(again, Ok(entries));
    }
}

/// A run's directory.
pub fn layout(bytes: &[u8]) {
    run::read_layout(bytes);
}

/// A block of postings behind its first term.
pub fn postings(bytes: &[u8]) {
    if let Some((term, block)) = bytes.split_first_chunk() {
        postings::read_block(u64::from_le_bytes(*term), block);
    }
}

/// A lock file.
pub fn lock(bytes: &[u8]) {
    if let Some(holder) = Holder::decode(&String::from_utf8_lossy(bytes)) {
        drop(holder.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// Changes of each input in a run of the tests. Fuzzing itself goes on for hours.
    const CHANGES: u64 = 400;

    fn corpus(name: &str) -> Vec<Vec<u8>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        let files = fs::read_dir(root.join(name)).unwrap();
        files
            .map(|file| fs::read(file.unwrap().path()).unwrap())
            .collect()
    }

    /// The next of a sequence of numbers without a pattern (xorshift, Marsaglia 2003).
    fn next(state: &mut u64) -> usize {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 16) as usize
    }

    /// Flips, sets, cuts, doubles or removes some bytes.
    fn change(bytes: &mut Vec<u8>, state: &mut u64) {
        for _ in 0..=next(state) % 3 {
            if bytes.is_empty() {
                return;
            }
            let at = next(state) % bytes.len();
            let run = (1 + next(state) % 16).min(bytes.len() - at);
            match next(state) % 6 {
                0 => bytes[at] ^= 1 << (next(state) % 8),
                1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][next(state) % 5],
                2 => bytes[at..at + run].fill(0xff),
                3 => bytes.truncate(at),
                4 => drop(bytes.drain(at..at + run)),
                _ => {
                    let doubled = bytes[at..at + run].to_vec();
                    bytes.splice(at..at, doubled);
                }
            }
        }
    }

    #[test]
    fn nothing_that_fuzzing_kept_and_nothing_near_it_breaks_a_decoder() {
        for (name, decode) in DECODERS {
            let inputs = corpus(name);
            assert!(!inputs.is_empty(), "{name}");
            let mut state = 0x9e37_79b9_7f4a_7c15;
            for input in &inputs {
                decode(input);
                for _ in 0..CHANGES {
                    let mut changed = input.clone();
                    change(&mut changed, &mut state);
                    decode(&changed);
                }
            }
        }
    }
}
