//! `gate`: passes or fails a run, for continuous integration.

use crate::report::line;
use crate::score::Scores;

/// Why the run does not pass; empty when it does. A row fails below its bar; a false match and a
/// query that the engine cannot handle always fail.
pub(crate) fn faults(scores: &Scores) -> Vec<String> {
    let low = scores.rows.iter().filter_map(|row| {
        let bar = row.bar.filter(|bar| row.recall < *bar)?;
        let (found, queries) = (row.found, row.queries);
        Some(format!(
            "{}: {found} of {queries} found, below {:.0} %",
            row.row,
            bar * 100.0
        ))
    });
    let wrong = scores
        .false_matches
        .iter()
        .map(|f| format!("false match: {}", line(f)));
    let failed = scores
        .failures
        .iter()
        .map(|f| format!("failure: {}", line(f)));
    low.chain(wrong).chain(failed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::{Finding, score};
    use crate::truth::Query;
    use likeness_core::report::Media;

    fn scores(bar: f64) -> Scores {
        let mut query = Query::copied("q", "row", Media::Audio);
        query.bar = Some(bar);
        let mut scores = score(&[query], &[], None);
        scores.failures.clear();
        scores
    }

    #[test]
    fn a_row_below_its_bar_fails_and_one_on_it_passes() {
        assert_eq!(faults(&scores(0.5)).len(), 1);
        assert!(faults(&scores(0.0)).is_empty());
    }

    #[test]
    fn a_false_match_and_a_failure_fail() {
        let finding = Finding {
            query: "q".to_owned(),
            row: "row".to_owned(),
            source: None,
            what: "x".to_owned(),
            media: None,
            score: None,
        };
        let mut wrong = scores(0.0);
        wrong.false_matches.push(finding.clone());
        wrong.failures.push(finding);
        assert_eq!(faults(&wrong).len(), 2);
    }
}
