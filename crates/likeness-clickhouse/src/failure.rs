//! What goes wrong with a server, and what helps.

use clickhouse::error::Error;

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The server's code, where it gave one.
    pub(crate) code: Option<u32>,
    /// In one line.
    pub(crate) reason: String,
    /// The server could not be reached, or broke off.
    network: bool,
}

/// "All connection tries failed", and other ways in which servers say that one of them is gone.
const GONE: [u32; 6] = [3, 32, 159, 209, 210, 279];
/// A server that is behind, has just started, or shall not write now: another one may do.
const NOT_NOW: [u32; 6] = [225, 242, 286, 289, 319, 999];
/// No such database, table.
const MISSING: [u32; 2] = [81, 60];

impl Failure {
    pub(crate) fn of(error: &Error) -> Failure {
        let text = match error {
            Error::BadResponse(text) => text.clone(),
            other => other.to_string(),
        };
        let code = text.split_once("Code: ").and_then(|(_, rest)| {
            rest.split(|c: char| !c.is_ascii_digit())
                .next()?
                .parse()
                .ok()
        });
        let reason = text.split(", Stack trace").next().unwrap_or_default();
        let mut reason: String = reason.lines().take(2).collect::<Vec<_>>().join(" ");
        if reason.len() > 500 {
            let end = (0..=500).rev().find(|&i| reason.is_char_boundary(i));
            reason.truncate(end.unwrap_or(0));
        }
        Failure {
            code,
            reason,
            network: matches!(error, Error::Network(_) | Error::TimedOut),
        }
    }

    pub(crate) fn timed_out() -> Failure {
        Failure::of(&Error::TimedOut)
    }

    fn is(&self, codes: &[u32]) -> bool {
        self.code.is_some_and(|code| codes.contains(&code))
    }

    /// Another server, or the same a moment later, may succeed.
    pub(crate) fn may_pass(&self) -> bool {
        self.network || self.is(&GONE) || self.is(&NOT_NOW)
    }

    /// A part of the cluster is gone.
    pub(crate) fn part_is_gone(&self) -> bool {
        self.is(&GONE)
    }

    /// There is no such table.
    pub(crate) fn is_missing(&self) -> bool {
        self.is(&MISSING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_errors_are_understood() {
        let check = |text: &str, code: Option<u32>, may_pass: bool, gone: bool| {
            let failure = Failure::of(&Error::BadResponse(text.to_owned()));
            assert_eq!(failure.code, code, "{text}");
            assert_eq!(
                (failure.may_pass(), failure.part_is_gone()),
                (may_pass, gone),
                "{text}"
            );
        };
        let old = "Code: 279, e.displayText() = DB::NetException: All connection tries failed. Log: \n\n\
                   Code: 210, e.displayText() = DB::NetException: Connection refused";
        check(old, Some(279), true, true);
        let new = "Code: 60. DB::Exception: Table x.y does not exist. (UNKNOWN_TABLE)";
        check(new, Some(60), false, false);
        check(
            "Code: 289, e.displayText() = DB::Exception: Replica doesn't have part",
            Some(289),
            true,
            false,
        );
        check("something else", None, false, false);
    }
}
