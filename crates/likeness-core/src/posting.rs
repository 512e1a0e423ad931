//! The unit of retrieval: a term seen in a reference at a time.

/// Number of a reference inside one library; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReferenceId(pub u32);

/// Separate vocabularies of terms; a term means something only inside its space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PostingSpace {
    /// Hashes of audio peak triplets.
    AudioLandmark,
    /// Words of video keypoint descriptors.
    VideoKeypoint,
    /// Curves of how much the picture moves.
    VideoMotion,
}

impl PostingSpace {
    /// All spaces, in the order in which they are stored.
    pub const ALL: [PostingSpace; 3] = [
        PostingSpace::AudioLandmark,
        PostingSpace::VideoKeypoint,
        PostingSpace::VideoMotion,
    ];

    /// How many of a term's lowest bits a store need not tell apart when it counts postings: with all of
    /// them, there would be hardly fewer terms than postings.
    pub const fn fine_bits(self) -> u32 {
        match self {
            PostingSpace::AudioLandmark | PostingSpace::VideoMotion => 0,
            PostingSpace::VideoKeypoint => 8,
        }
    }
}

/// One occurrence of a term in a reference.
///
/// `time` and `payload` are opaque to the index: the extractor that made the term defines them
/// (see `likeness-audio` and `likeness-video`). Small values are stored in few bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Posting {
    /// The term, unique within a [`PostingSpace`].
    pub term: u64,
    /// The reference in which the term occurs.
    pub reference: ReferenceId,
    /// When, in the extractor's units.
    pub time: u32,
    /// What else the extractor wants back on a hit (frequency, position, scale...).
    pub payload: u64,
}
