//! The benchmark's queries and references, and how what a rival finds becomes a report.

use anyhow::{Context, Result, ensure};
use likeness_core::report::{Match, MatchReport, Media, REPORT_VERSION, Segment, Status};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What a rival needs to know of a run, for one medium.
pub(crate) struct Bench {
    pub(crate) queries: Vec<Query>,
    /// Identifiers of the references; their paths under the media folder.
    pub(crate) references: Vec<String>,
    run: PathBuf,
    media_folder: PathBuf,
    media: Media,
}

/// A line of `truth.jsonl`, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    query: String,
    row: String,
    same_work: Vec<String>,
    truths: Vec<Truth>,
}

#[derive(Debug, Deserialize)]
struct Truth {
    media: Media,
}

/// A candidate: one reference in one query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) reference: usize,
    /// 0..=1, rises with the evidence.
    pub(crate) score: f64,
    /// Seconds.
    pub(crate) query_start: f64,
    /// Seconds.
    pub(crate) query_end: f64,
    /// Seconds.
    pub(crate) reference_start: f64,
    pub(crate) speed: f64,
}

impl Bench {
    pub(crate) fn load(run: &Path, media_folder: &Path, media: Media) -> Result<Bench> {
        let kinds: &[&str] = match media {
            Media::Audio => &["music", "speech"],
            Media::Video => &["video"],
        };
        let unrelated = |row: &str| {
            let kind = row.strip_prefix("unrelated ");
            kind.is_some_and(|kind| {
                kinds.contains(&kind) || (media == Media::Video && kind == "drawn")
            })
        };
        let mut queries: Vec<Query> = lines(&run.join("truth.jsonl"))?;
        queries.retain(|query| {
            unrelated(&query.row) || query.truths.iter().any(|truth| truth.media == media)
        });
        let path = run.join("references.txt");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        let references: Vec<String> = text
            .lines()
            .filter(|name| {
                name.split('/')
                    .next()
                    .is_some_and(|kind| kinds.contains(&kind))
            })
            .map(str::to_owned)
            .collect();
        // The sound of films, whose references are left out here, could not be found.
        let there = |name: &String| references.contains(name);
        queries.retain(|query| query.truths.is_empty() || query.same_work.iter().any(there));
        ensure!(
            !references.is_empty() && !queries.is_empty(),
            "{} holds no {}",
            run.display(),
            kinds.join(" and no ")
        );
        Ok(Bench {
            queries,
            references,
            run: run.to_owned(),
            media_folder: media_folder.to_owned(),
            media,
        })
    }

    pub(crate) fn query_paths(&self) -> Vec<PathBuf> {
        let folder = self.run.join("queries");
        self.queries.iter().map(|q| folder.join(&q.query)).collect()
    }

    pub(crate) fn reference_paths(&self) -> Vec<PathBuf> {
        let path = |name: &String| self.media_folder.join(name);
        self.references.iter().map(path).collect()
    }

    /// Writes two reports: NAME.jsonl with the lowest threshold that accuses no query that shows
    /// nothing of the references, and NAME.rank1.jsonl with each query's best reference, however low its
    /// score. Returns the threshold: scores above it are accepted.
    pub(crate) fn write(&self, name: &str, found: &[Vec<Found>]) -> Result<f64> {
        let threshold = self.threshold(found);
        let folder = self.run.join("rivals");
        std::fs::create_dir_all(&folder)?;
        let write = |name: String, report: &dyn Fn(&Query, &[Found]) -> MatchReport| {
            let mut text = String::new();
            for (query, found) in self.queries.iter().zip(found) {
                writeln!(text, "{}", serde_json::to_string(&report(query, found))?)?;
            }
            let path = folder.join(name);
            std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
        };
        let accepted = |query: &Query, found: &[Found]| self.report(query, found, threshold);
        write(format!("{name}.jsonl"), &accepted)?;
        let first = |query: &Query, found: &[Found]| {
            let best = found.iter().max_by(|a, b| a.score.total_cmp(&b.score));
            self.report(
                query,
                best.map_or(&[], std::slice::from_ref),
                f64::NEG_INFINITY,
            )
        };
        write(format!("{name}.rank1.jsonl"), &first)?;
        Ok(threshold)
    }

    /// The highest score of a false candidate on a query with nothing to find.
    fn threshold(&self, found: &[Vec<Found>]) -> f64 {
        let unrelated = self.queries.iter().zip(found);
        unrelated
            .filter(|(query, _)| query.truths.is_empty())
            .flat_map(|(query, found)| found.iter().filter(|f| self.is_false(query, f)))
            .map(|found| found.score)
            .fold(0.0, f64::max)
    }

    fn is_false(&self, query: &Query, found: &Found) -> bool {
        !query.same_work.contains(&self.references[found.reference])
    }

    fn report(&self, query: &Query, found: &[Found], threshold: f64) -> MatchReport {
        let mut matches: Vec<Match> = found
            .iter()
            .filter(|found| found.score > threshold)
            .map(|found| self.matched(found))
            .collect();
        matches.sort_by(|a, b| b.score.total_cmp(&a.score));
        MatchReport {
            version: REPORT_VERSION,
            query: query.query.clone(),
            status: Status::Ok,
            error: None,
            duration: None,
            audio: None,
            video: None,
            matches,
        }
    }

    fn matched(&self, found: &Found) -> Match {
        let length = found.query_end - found.query_start;
        Match {
            reference: self.references[found.reference].clone(),
            media: self.media,
            score: found.score,
            false_positive_probability: None,
            query_coverage: None,
            reference_coverage: None,
            segments: vec![Segment {
                query_start: found.query_start,
                query_end: found.query_end,
                reference_start: found.reference_start,
                reference_end: found.reference_start + length * found.speed,
                speed: found.speed,
                score: found.score,
                pitch_semitones: None,
                mirrored: None,
                rotation_degrees: None,
                reference_rect: None,
                query_rect: None,
                still: None,
            }],
            distortions: Vec::new(),
        }
    }
}

fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let parse = |line| serde_json::from_str(line).with_context(|| format!("{}", path.display()));
    text.lines().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench() -> Bench {
        let query = |truths: Vec<Truth>, same_work: &[&str]| Query {
            query: "q".to_owned(),
            row: "r".to_owned(),
            same_work: same_work.iter().map(|&name| name.to_owned()).collect(),
            truths,
        };
        let media = Media::Audio;
        Bench {
            queries: vec![
                query(vec![Truth { media }], &["music/a"]),
                query(Vec::new(), &["music/b"]),
            ],
            references: vec!["music/a".to_owned(), "music/b".to_owned()],
            run: PathBuf::new(),
            media_folder: PathBuf::new(),
            media,
        }
    }

    fn found(reference: usize, score: f64) -> Found {
        Found {
            reference,
            score,
            query_start: 0.0,
            query_end: 10.0,
            reference_start: 5.0,
            speed: 1.1,
        }
    }

    #[test]
    fn the_threshold_lies_at_the_worst_accusation() {
        let bench = bench();
        // The second query shows b rightly, so only its claim of a counts.
        let all = [vec![found(1, 0.9)], vec![found(0, 0.4), found(1, 0.8)]];
        assert_eq!(bench.threshold(&all), 0.4);
    }

    #[test]
    fn what_lies_at_the_threshold_is_not_accepted() {
        let bench = bench();
        let report = bench.report(&bench.queries[0], &[found(1, 0.4), found(0, 0.5)], 0.4);
        assert_eq!(report.matches.len(), 1);
        assert_eq!(report.matches[0].reference, "music/a");
        assert_eq!(report.matches[0].segments[0].reference_end, 16.0);
    }
}
