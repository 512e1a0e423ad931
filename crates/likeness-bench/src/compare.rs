//! `compare`: whether two runs had the same queries, bit for bit, and found the same.

use crate::truth::{Query, load_named};
use anyhow::Result;
use likeness_core::report::MatchReport;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What two runs have in common.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Comparison {
    /// Queries of the same bytes and truth.
    pub(crate) same_queries: usize,
    /// Reports with the same matches, to the last digit.
    pub(crate) same_reports: usize,
    /// What differs, one line each.
    pub(crate) differences: Vec<String>,
}

/// Compares truth.jsonl and report.jsonl of two folders.
pub(crate) fn folders(one: &Path, other: &Path) -> Result<Comparison> {
    let truths =
        |folder: &Path| load_named(&folder.join("truth.jsonl"), |query: &Query| &query.query);
    let reports = |folder: &Path| {
        let path = folder.join("report.jsonl");
        load_named(&path, |report: &MatchReport| &report.query)
    };
    Ok(compare(
        [&truths(one)?, &truths(other)?],
        [&reports(one)?, &reports(other)?],
    ))
}

fn compare(queries: [&[Query]; 2], reports: [&[MatchReport]; 2]) -> Comparison {
    let mut comparison = Comparison::default();
    let differences = &mut comparison.differences;
    comparison.same_queries = equal(queries, "query", |query| &query.query, differences);
    comparison.same_reports = equal(reports, "report", |report| &report.query, differences);
    comparison
}

/// Counts what is on both sides under the same name and equal; tells of all else.
fn equal<T: PartialEq>(
    sides: [&[T]; 2],
    what: &str,
    name: impl Fn(&T) -> &String,
    differences: &mut Vec<String>,
) -> usize {
    let named = |items| -> BTreeMap<&String, &T> {
        <[T]>::iter(items).map(|item| (name(item), item)).collect()
    };
    let [one, other] = sides.map(named);
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).copied().collect();
    let total = names.len();
    let told = differences.len();
    differences.extend(names.into_iter().filter_map(|name| {
        match (one.get(name), other.get(name)) {
            (Some(a), Some(b)) if a == b => None,
            (Some(_), Some(_)) => Some(format!("{what} {name} differs")),
            (Some(_), None) => Some(format!("{what} {name} is in the first run only")),
            _ => Some(format!("{what} {name} is in the second run only")),
        }
    }));
    total - (differences.len() - told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str, sha256: &str) -> Query {
        let mut query = Query::new(name.as_ref(), "row", None, Vec::new());
        query.sha256 = sha256.to_owned();
        query
    }

    fn report(name: &str, message: &str) -> MatchReport {
        MatchReport::failed(name, "code", message)
    }

    #[test]
    fn equal_runs_have_no_differences() {
        let queries = [query("a", "1"), query("b", "2")];
        let reports = [report("a", "x")];
        let found = compare([&queries, &queries], [&reports, &reports]);
        assert_eq!((found.same_queries, found.same_reports), (2, 1));
        assert!(found.differences.is_empty());
    }

    #[test]
    fn other_bytes_other_reports_and_missing_ones_are_told() {
        let found = compare(
            [
                &[query("a", "1"), query("b", "2")],
                &[query("a", "9"), query("c", "2")],
            ],
            [&[report("a", "x")], &[report("a", "y")]],
        );
        assert_eq!((found.same_queries, found.same_reports), (0, 0));
        assert_eq!(
            found.differences,
            [
                "query a differs",
                "query b is in the first run only",
                "query c is in the second run only",
                "report a differs"
            ]
        );
    }
}
