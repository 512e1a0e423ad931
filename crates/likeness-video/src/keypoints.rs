//! The keypoints of one analysed frame.

use crate::corners::{Corner, CornerFinder};
use crate::descriptor::{self, PATCH_RADIUS};
use crate::pyramid::Level;
use crate::words;
use likeness_core::Density;
use likeness_core::video::{Keypoint, PLACE_STEPS, VideoConfig};

/// The keypoints of a frame, given at all its levels: those of the sparse form first, and how many these
/// are; level by level, strongest of each cell first.
pub(crate) fn find(
    finder: &mut CornerFinder,
    levels: &[Level],
    density: Density,
    config: &VideoConfig,
) -> (Vec<Keypoint>, usize) {
    let (mut sparse, mut rest) = (Vec::new(), Vec::new());
    for level in levels {
        let quota = config.sparse_quota[level.number] as usize;
        let limit = match density {
            Density::Reference => quota,
            Density::Query => config.query_quota[level.number] as usize,
        };
        let margin = PATCH_RADIUS + 1;
        let corners = finder.find(&level.luma, margin, config.min_corner, config.grid, limit);
        for (rank, corner) in corners.iter().enumerate() {
            let list = if rank < quota { &mut sparse } else { &mut rest };
            list.push(keypoint(level, corner, config));
        }
    }
    let count = sparse.len();
    sparse.append(&mut rest);
    (sparse, count)
}

fn keypoint(level: &Level, corner: &Corner, config: &VideoConfig) -> Keypoint {
    let (x, y) = (usize::from(corner.x), usize::from(corner.y));
    let angle = descriptor::orientation(&level.luma, x, y);
    let (descriptor, margins) = descriptor::describe(&level.smooth, x, y, angle);
    Keypoint {
        x: place(x, level.luma.width),
        y: place(y, level.luma.height),
        level: level.number as u8,
        angle,
        weak: words::weak(&margins, config.weak_bits),
        descriptor,
    }
}

/// The centre of pixel `i` of `length` in steps of the whole.
fn place(i: usize, length: usize) -> u16 {
    let steps = usize::from(PLACE_STEPS);
    (((2 * i + 1) * steps) / (2 * length)).min(steps - 1) as u16
}
