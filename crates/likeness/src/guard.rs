//! A fault of this program that one file brings out must not take the others with it.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does `work` on one file; `None` if it panicked, which the panic hook has reported by then.
///
/// What `work` changes must be its own, or thrown away with its result: extraction and matching
/// change nothing else.
pub(crate) fn contain<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_stays_inside() {
        assert_eq!(contain(|| 7), Some(7));
        let overflow = |n: u8| contain(|| n + 1);
        assert_eq!((overflow(1), overflow(255)), (Some(2), None));
        assert_eq!(contain(|| rayon::join(|| 1, || overflow(255)).0), Some(1));
    }
}
