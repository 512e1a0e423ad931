//! Where the segments of a match lie on both works.

use likeness_core::report::Segment;

/// Length of both bars.
const LENGTH: f64 = 1000.0;
/// The least width of what is drawn: a short segment of a long work must be seen.
const LEAST: f64 = 4.0;

/// A segment on the two bars, in thousandths of their lengths.
pub(crate) struct Band {
    /// Left edge and width on the query's bar.
    pub(crate) query: (f64, f64),
    /// Left edge and width on the reference's bar.
    pub(crate) reference: (f64, f64),
}

/// The segments of works of these seconds.
pub(crate) fn bands(segments: &[Segment], query: f64, reference: f64) -> Vec<Band> {
    let place = |start: f64, end: f64, of: f64| {
        let of = of.max(end).max(1e-3);
        let left = (start / of * LENGTH).clamp(0.0, LENGTH - LEAST);
        let width = ((end - start) / of * LENGTH).clamp(LEAST, LENGTH - left);
        (left, width)
    };
    let band = |s: &Segment| Band {
        query: place(s.query_start, s.query_end, query),
        reference: place(s.reference_start, s.reference_end, reference),
    };
    segments.iter().map(band).collect()
}

impl Band {
    /// Corners of the ribbon between the bars, whose edges lie at 24 and 76.
    pub(crate) fn ribbon(&self) -> String {
        let (top, bottom) = (24, 76);
        let ((a, b), (c, d)) = (self.query, self.reference);
        format!(
            "{a:.1},{top} {:.1},{top} {:.1},{bottom} {c:.1},{bottom}",
            a + b,
            c + d
        )
    }
}
