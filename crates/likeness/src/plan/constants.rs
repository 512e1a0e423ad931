//! What the planner reckons with: costs that `likeness-bench constants` took from measured runs.

use serde::{Deserialize, Serialize};

/// Measured costs, and where they come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constants {
    /// When the runs were made, as `2026-11-26`.
    pub date: String,
    /// On what machine.
    pub machine: String,
    /// The command that wrote this, of which the runs can be told.
    pub command: String,
    /// Sound.
    pub audio: Medium,
    /// Moving picture.
    pub video: Medium,
}

/// Costs of one medium.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Medium {
    /// CPU seconds to decode and fingerprint an hour of references and to add them.
    pub ingest_cpu_s_per_hour: f64,
    /// CPU seconds to decode and fingerprint a second of an upload.
    pub extract_cpu_s_per_s: f64,
    /// Seconds of upload that one look-up covers; each shares half of them with the next.
    pub lookup_s: f64,
    /// Libraries of several sizes, ascending by hours; at least one.
    pub sizes: Vec<Size>,
}

/// A library of one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Hours that it holds.
    pub hours: f64,
    /// Postings.
    pub postings: f64,
    /// Bytes of all files.
    pub bytes: f64,
    /// Bytes resident after many look-ups.
    pub resident: f64,
    /// CPU seconds of one look-up, the middle one.
    pub lookup_cpu_s: f64,
    /// Share of disguised copies that were found.
    pub found: f64,
}

/// What comes with the program.
const OWN: &str = include_str!("constants.toml");

impl Constants {
    /// The constants that come with the program.
    ///
    /// # Errors
    /// They cannot be read, which a test rules out.
    pub fn own() -> Result<Constants, String> {
        Constants::parse(OWN)
    }

    /// Reads constants.
    ///
    /// # Errors
    /// What does not fit.
    pub fn parse(text: &str) -> Result<Constants, String> {
        let constants: Constants = toml::from_str(text).map_err(|e| e.to_string())?;
        for (name, medium) in [("audio", &constants.audio), ("video", &constants.video)] {
            medium.check().map_err(|what| format!("{name}: {what}"))?;
        }
        Ok(constants)
    }

    /// Writes constants.
    ///
    /// # Errors
    /// Numbers that cannot be written.
    pub fn write(&self) -> Result<String, String> {
        toml::to_string(self).map_err(|e| e.to_string())
    }
}

impl Medium {
    fn check(&self) -> Result<(), &'static str> {
        let costs = [
            self.ingest_cpu_s_per_hour,
            self.extract_cpu_s_per_s,
            self.lookup_s,
        ];
        let sizes = self.sizes.iter();
        let numbers =
            sizes.flat_map(|s| [s.hours, s.postings, s.bytes, s.resident, s.lookup_cpu_s]);
        if !costs
            .into_iter()
            .chain(numbers)
            .all(|n| n.is_finite() && n > 0.0)
        {
            return Err("all costs must be positive");
        }
        match self.sizes.is_sorted_by(|a, b| a.hours < b.hours) && !self.sizes.is_empty() {
            true => Ok(()),
            false => Err("sizes must ascend"),
        }
    }

    /// A number of a library of `hours`: between measured sizes along the logarithm of their hours, and as
    /// of the nearest beyond them.
    pub(super) fn at(&self, hours: f64, number: impl Fn(&Size) -> f64) -> f64 {
        let next = self.sizes.partition_point(|size| size.hours <= hours);
        match (
            next.checked_sub(1).map(|i| &self.sizes[i]),
            self.sizes.get(next),
        ) {
            (Some(below), Some(above)) => {
                let share = (hours / below.hours).ln() / (above.hours / below.hours).ln();
                number(below) + share * (number(above) - number(below))
            }
            (Some(only), None) | (None, Some(only)) => number(only),
            (None, None) => 0.0,
        }
    }

    /// Bytes an hour of the largest size.
    pub(super) fn bytes_per_hour(&self) -> f64 {
        self.sizes
            .last()
            .map_or(0.0, |size| size.bytes / size.hours)
    }

    /// Postings an hour of the largest size.
    pub(super) fn postings_per_hour(&self) -> f64 {
        self.sizes
            .last()
            .map_or(0.0, |size| size.postings / size.hours)
    }

    /// The most hours of one library in which `share` of what the smallest finds is found; between
    /// measured sizes along the logarithm of their hours.
    pub(super) fn most_hours(&self, share: f64) -> f64 {
        let Some(first) = self.sizes.first() else {
            return 0.0;
        };
        let least = share * first.found;
        let mut pairs = self.sizes.windows(2);
        let falls = pairs.find(|pair| pair[1].found < least);
        match falls {
            Some([below, above]) => {
                let way = (below.found - least) / (below.found - above.found);
                below.hours * (above.hours / below.hours).powf(way)
            }
            _ => self.sizes.last().map_or(0.0, |size| size.hours),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn medium(found: [f64; 3]) -> Medium {
        let size = |(hours, found)| Size {
            hours,
            postings: 1000.0 * hours,
            bytes: 100.0 * hours,
            resident: 10.0 * hours,
            lookup_cpu_s: 0.1 * hours,
            found,
        };
        Medium {
            ingest_cpu_s_per_hour: 1.0,
            extract_cpu_s_per_s: 1.0,
            lookup_s: 15.0,
            sizes: [1.0, 10.0, 100.0]
                .into_iter()
                .zip(found)
                .map(size)
                .collect(),
        }
    }

    #[test]
    fn the_programs_own_constants_are_good() {
        let own = Constants::own().expect("constants");
        assert_eq!(Constants::parse(&own.write().expect("text")), Ok(own));
    }

    #[test]
    fn numbers_lie_between_those_of_measured_sizes() {
        let medium = medium([1.0; 3]);
        let check = |hours: f64, want: f64| {
            let found = medium.at(hours, |size| size.lookup_cpu_s);
            assert!((found - want).abs() < 1e-9, "{hours}: {found}");
        };
        check(0.5, 0.1);
        check(1.0, 0.1);
        check(10f64.sqrt(), 0.55);
        check(10.0, 1.0);
        check(1e6, 10.0);
    }

    #[test]
    fn a_library_holds_no_more_hours_than_it_finds_enough_in() {
        let check = |found: [f64; 3], want: f64| {
            let hours = medium(found).most_hours(0.9);
            assert!((hours - want).abs() < 1e-6, "{found:?}: {hours}");
        };
        check([1.0, 1.0, 1.0], 100.0);
        check([1.0, 0.95, 0.85], 10.0 * 10f64.sqrt());
        check([0.8, 0.4, 0.2], 10f64.powf(0.2));
        // Less found in the smallest does not count against it.
        check([0.5, 0.5, 0.46], 100.0);
    }

    #[test]
    fn what_is_no_measurement_is_refused() {
        let good = Constants::own().expect("constants");
        let mut none = good.clone();
        none.video.sizes.clear();
        let mut nothing = good.clone();
        nothing.audio.extract_cpu_s_per_s = 0.0;
        for bad in [none, nothing] {
            assert!(Constants::parse(&bad.write().expect("text")).is_err());
        }
        assert!(Constants::parse("date = 'x'").is_err());
    }
}
