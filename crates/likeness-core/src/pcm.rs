//! Samples of sound, as decoders deliver them.

/// A stretch of sound in two channels: half the sum of left and right, and half the difference.
/// What cancels in the sum is in the difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PcmBlock<'a> {
    /// Half the sum, full scale ±1; of more than two channels, their mean.
    pub mid: &'a [f32],
    /// Half the difference: as long as `mid`, or empty where the sound has one channel only.
    pub side: &'a [f32],
}

impl<'a> PcmBlock<'a> {
    /// Sound of one channel.
    pub fn mono(mid: &'a [f32]) -> PcmBlock<'a> {
        PcmBlock { mid, side: &[] }
    }

    /// Samples of a channel.
    pub fn len(&self) -> usize {
        self.mid.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.mid.is_empty()
    }

    /// What comes before sample `at`, and what follows; `at` is at most the length.
    pub fn split_at(self, at: usize) -> (PcmBlock<'a>, PcmBlock<'a>) {
        let (mid, side) = (
            self.mid.split_at(at),
            self.side.split_at(at.min(self.side.len())),
        );
        let block = |mid, side| PcmBlock { mid, side };
        (block(mid.0, side.0), block(mid.1, side.1))
    }

    /// Pieces of `length` samples, the last of what is left.
    pub fn chunks(self, length: usize) -> impl Iterator<Item = PcmBlock<'a>> {
        let mut rest = self;
        std::iter::from_fn(move || {
            let (first, others) = rest.split_at(length.min(rest.len()));
            rest = others;
            (!first.is_empty()).then_some(first)
        })
    }
}
