//! Multi-index hashing: an exact search that looks up parts of a descriptor in tables (Norouzi, Punjani
//! & Fleet, "Fast exact search in Hamming space with multi-index hashing", 2014, algorithm 2).
//!
//! A descriptor is cut into parts. Of two that differ in few bits, some part differs in very few, by
//! the pigeonhole principle; so tables of the parts are asked for ever more distant entries, until no
//! descriptor that is near enough can be missing.

use super::bits::{BITS, Best};
use likeness_match::neighbours::{Neighbour, Neighbours};

/// Bits of a part: a table then has about as many buckets as tens of thousands of items can fill.
const PART_BITS: usize = 16;
const PARTS: usize = BITS / PART_BITS;

/// Tables of all parts of all descriptors.
pub(super) struct MultiIndex {
    codes: Vec<u64>,
    tables: [Table; PARTS],
}

/// The items by one part: those of bucket `b` lie between `starts[b]` and `starts[b + 1]`.
struct Table {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl MultiIndex {
    pub(super) fn new(codes: Vec<u64>) -> MultiIndex {
        let tables = std::array::from_fn(|number| Table::new(&codes, number));
        MultiIndex { codes, tables }
    }
}

/// A part of a descriptor.
fn part(code: u64, number: usize) -> u16 {
    (code >> (number * PART_BITS)) as u16
}

impl Table {
    /// Counting sort.
    fn new(codes: &[u64], number: usize) -> Table {
        let bucket = |code: &u64| usize::from(part(*code, number));
        let mut starts = vec![0u32; (1 << PART_BITS) + 1];
        for code in codes {
            starts[bucket(code) + 1] += 1;
        }
        for bucket in 1..starts.len() {
            starts[bucket] += starts[bucket - 1];
        }
        let mut next = starts.clone();
        let mut items = vec![0u32; codes.len()];
        for (item, code) in codes.iter().enumerate() {
            let place = &mut next[bucket(code)];
            items[*place as usize] = item as u32;
            *place += 1;
        }
        Table { starts, items }
    }

    fn bucket(&self, part: u16) -> &[u32] {
        let bucket = usize::from(part);
        &self.items[self.starts[bucket] as usize..self.starts[bucket + 1] as usize]
    }
}

impl Neighbours<u64> for MultiIndex {
    fn nearest(&self, query: &[u64], count: usize, radius: f32) -> Vec<Neighbour> {
        let mut best = Best::new(count, radius);
        if let Some(&word) = query.first() {
            self.search(word, &mut best);
        }
        best.finish(count)
    }
}

impl MultiIndex {
    /// After step `s` all descriptors that differ in at most `s` bits are found: such a one differs in at
    /// most `s / PARTS` bits in some part up to number `s % PARTS`, or in fewer in a later one.
    fn search(&self, query: u64, best: &mut Best) {
        for step in 0..=BITS {
            if step as u32 > best.limit() {
                return;
            }
            let (number, bits) = (step % PARTS, step / PARTS);
            let own = part(query, number);
            for_each_mask(bits, |mask| {
                for &item in self.tables[number].bucket(own ^ mask) {
                    let differing = self.codes[item as usize] ^ query;
                    if first_step(differing) == step {
                        best.offer(item, differing.count_ones());
                    }
                }
            });
        }
    }
}

/// The step at which a descriptor is met first, so that it is offered once.
fn first_step(differing: u64) -> usize {
    let step = |number| part(differing, number).count_ones() as usize * PARTS + number;
    (0..PARTS).map(step).min().unwrap_or(0)
}

/// Calls `sink` with every part that has just so many bits set, by Gosper's hack (Beeler, Gosper &
/// Schroeppel, "HAKMEM", 1972, item 175).
fn for_each_mask(bits: usize, mut sink: impl FnMut(u16)) {
    if bits > PART_BITS {
        return;
    }
    let mut mask = (1u32 << bits) - 1;
    while mask < 1 << PART_BITS {
        sink(mask as u16);
        if mask == 0 {
            return;
        }
        let lowest = mask & mask.wrapping_neg();
        let ripple = mask + lowest;
        mask = ripple | (((mask ^ ripple) >> 2) / lowest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_all_parts_with_so_many_bits() {
        for bits in 0..=PART_BITS + 1 {
            let mut seen = Vec::new();
            for_each_mask(bits, |mask| seen.push(mask));
            let all = (0..=u16::MAX).filter(|mask| mask.count_ones() as usize == bits);
            assert_eq!(seen, all.collect::<Vec<_>>(), "{bits}");
        }
    }
}
