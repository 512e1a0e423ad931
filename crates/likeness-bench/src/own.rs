//! One's own folder of media, as works to measure on.

use crate::corpus::{Kind, Role, Split, Work};
use crate::fetch::sha256;
use anyhow::{Context, Result, ensure};
use likeness::{Input, collect_inputs};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// One work in so many of each kind has no reference in the library.
const NEGATIVES: usize = 3;

/// The music and videos under `folder`, two of three as references, the others as negatives. The lot
/// is drawn from their contents, and equal files share their part. What is no media, a still
/// picture, or of unknown length is named on standard error and left out.
///
/// # Errors
/// When the folder cannot be read or holds nothing to measure on.
pub(crate) fn works(folder: &Path) -> Result<Vec<Work>> {
    let collected = collect_inputs(&[folder.to_owned()]);
    for error in &collected.errors {
        eprintln!("left out: {error}");
    }
    let mut works = Vec::new();
    for input in &collected.inputs {
        match work(input) {
            Ok(work) => works.push(work),
            Err(reason) => eprintln!("left out: {reason:#}"),
        }
    }
    ensure!(
        !works.is_empty(),
        "{}: no music and no video to measure on",
        folder.display()
    );
    cast_lots(&mut works);
    Ok(works)
}

/// Every third of the different works of a kind, in an order drawn by lot, becomes a negative.
fn cast_lots(works: &mut [Work]) {
    for kind in [Kind::Music, Kind::Video] {
        let of_kind = works.iter().filter(|work| work.kind == kind);
        let contents: BTreeSet<String> = of_kind.map(|work| work.sha256.clone()).collect();
        // A checksum's order is a lot.
        for (index, content) in contents.iter().enumerate() {
            let role = match (index + 1) % NEGATIVES {
                0 => Role::Negative,
                _ => Role::Reference,
            };
            let same = |work: &&mut Work| work.kind == kind && work.sha256 == *content;
            works
                .iter_mut()
                .filter(same)
                .for_each(|work| work.role = role);
        }
    }
}

fn work(input: &Input) -> Result<Work> {
    let path = &input.path;
    let info = likeness_media::probe(path)?;
    let name = || path.display().to_string();
    ensure!(!info.still_image, "{}: a still picture", name());
    let duration = info
        .duration
        .with_context(|| format!("{}: of unknown length", name()))?;
    Ok(Work {
        kind: if info.video.is_some() {
            Kind::Video
        } else {
            Kind::Music
        },
        package: "own".to_owned(),
        version: String::new(),
        registry: String::new(),
        file: input.identifier.clone(),
        class: String::new(),
        same_work_group: String::new(),
        licence: String::new(),
        duration_s: Some(duration),
        width: info.video.as_ref().map(|video| video.width),
        height: info.video.as_ref().map(|video| video.height),
        bytes: fs::metadata(path)?.len(),
        sha256: sha256(path)?,
        split: Split::None,
        role: Role::None,
        own: Some(path.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use likeness_distort::{Generated, Random, render_generated};

    #[test]
    fn a_folder_becomes_works_and_what_is_none_is_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut random = Random::new(1, "own");
        let drawn = |name: &str, random: &mut Random| {
            render_generated(&Generated::TestCard, 2.0, folder.path(), name, random).expect("drawn")
        };
        let file = drawn("film", &mut random);
        fs::copy(&file, folder.path().join("again.mp4")).expect("copied");
        fs::write(folder.path().join("text.mp3"), "no music").expect("written");
        let works = works(folder.path()).expect("works");
        assert_eq!(works.len(), 2, "{works:?}");
        let (one, other) = (&works[0], &works[1]);
        assert_eq!((one.kind, one.role), (Kind::Video, other.role));
        assert!(one.same_work(other));
        assert!(one.path(Path::new("elsewhere")).is_file());
    }

    #[test]
    fn one_of_three_works_of_a_kind_has_nothing_to_find() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("one.mp4");
        let mut random = Random::new(1, "own");
        let drawn = render_generated(&Generated::Bars, 1.0, folder.path(), "one", &mut random);
        assert_eq!(drawn.expect("drawn"), file);
        let one = work(&Input::file(&file)).expect("a work");
        let named = |kind: Kind, content: &str| Work {
            kind,
            sha256: content.to_owned(),
            ..one.clone()
        };
        let mut works: Vec<Work> = ["a", "b", "c", "c", "d"]
            .iter()
            .map(|content| named(Kind::Music, content))
            .chain([named(Kind::Video, "c")])
            .collect();
        cast_lots(&mut works);
        let negative: Vec<bool> = works.iter().map(|w| w.role == Role::Negative).collect();
        assert_eq!(negative, [false, false, true, true, false, false]);
    }

    #[test]
    fn a_folder_without_media_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = works(folder.path()).expect_err("nothing there");
        assert!(error.to_string().contains("no music and no video"));
    }
}
