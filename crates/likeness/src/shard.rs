//! Sharing a batch out among machines that do not talk to each other.

use std::fmt;
use std::str::FromStr;

/// Part `index` of `count` of a batch. Which part a file falls into follows from its identifier
/// alone, so that every machine decides alike, and files that come or go move no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// Part `index`, counted from 0, of `count`; `None` if there is no such part.
    pub fn new(index: u32, count: u32) -> Option<Shard> {
        (index < count).then_some(Shard { index, count })
    }

    /// Whether a file of this identifier belongs to this part.
    pub fn holds(&self, identifier: &str) -> bool {
        let hash = blake3::hash(identifier.as_bytes());
        let (head, _) = hash.as_bytes().split_at(8);
        let number = head.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        number % u64::from(self.count) == u64::from(self.index)
    }
}

/// "2/8".
impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parts = text.split_once('/');
        let shard = parts.and_then(|(i, n)| Shard::new(i.parse().ok()?, n.parse().ok()?));
        shard.ok_or_else(|| "not of the form I/N with I from 0 to N-1".to_owned())
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_part_is_refused() {
        let check = |text: &str, good: bool| {
            let parsed = text.parse::<Shard>();
            assert_eq!(parsed.is_ok(), good, "{text}");
            if let Ok(shard) = parsed {
                assert_eq!(shard.to_string(), text);
            }
        };
        check("0/1", true);
        check("7/8", true);
        for text in ["8/8", "0/0", "-1/2", "1", "1/", "/2", "a/b", "1/2/3", ""] {
            check(text, false);
        }
    }

    #[test]
    fn parts_are_disjoint_complete_and_even() {
        let parts: Vec<Shard> = (0..4).filter_map(|i| Shard::new(i, 4)).collect();
        let mut sizes = [0; 4];
        for n in 0..1000 {
            let name = format!("dir/{n}.mp3");
            let holders: Vec<usize> = (0..4).filter(|&i| parts[i].holds(&name)).collect();
            assert_eq!(holders.len(), 1, "{name}");
            sizes[holders[0]] += 1;
        }
        assert!(
            sizes.iter().all(|size| (200..300).contains(size)),
            "{sizes:?}"
        );
    }

    /// A batch may be begun by one version of the program and ended by another.
    #[test]
    fn who_holds_what_never_changes() {
        let first = Shard::new(0, 3);
        let held = (0..12).filter(|n| first.is_some_and(|s| s.holds(&format!("{n}.wav"))));
        assert_eq!(held.collect::<Vec<_>>(), [1, 3, 4, 6, 7, 8, 9]);
    }
}
