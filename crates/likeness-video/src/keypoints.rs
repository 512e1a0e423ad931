//! The keypoints of one working picture.

use crate::config::VideoConfig;
use crate::corners::{Corner, CornerFinder};
use crate::descriptor::{self, PATCH_RADIUS};
use crate::luma::Luma;
use crate::pyramid::Pyramid;
use likeness_core::video::Keypoint;

/// Finds keypoints; keeps its buffers from frame to frame.
#[derive(Debug)]
pub(crate) struct KeypointFinder {
    config: VideoConfig,
    pyramid: Pyramid,
    finder: CornerFinder,
    corners: Vec<Corner>,
}

impl KeypointFinder {
    /// Buffers for working pictures of `width` x `height`.
    pub(crate) fn new(config: VideoConfig, width: usize, height: usize) -> KeypointFinder {
        KeypointFinder {
            config,
            pyramid: Pyramid::new(width, height, config.level_step, config.levels),
            finder: CornerFinder::default(),
            corners: Vec::new(),
        }
    }

    /// The keypoints of `picture`, level by level, cell by cell, strongest first.
    pub(crate) fn find(&mut self, picture: &Luma) -> Vec<Keypoint> {
        let config = &self.config;
        self.pyramid.base().data.copy_from_slice(&picture.data);
        self.pyramid.build();
        let mut keypoints = Vec::new();
        for (number, level) in self.pyramid.levels.iter().enumerate() {
            self.corners.clear();
            self.finder.find(
                &level.luma,
                PATCH_RADIUS + 1,
                config.corner_threshold,
                config.cell,
                config.corners_per_cell,
                &mut self.corners,
            );
            for corner in &self.corners {
                let (x, y) = (usize::from(corner.x), usize::from(corner.y));
                let angle = descriptor::orientation(&level.luma, x, y);
                keypoints.push(Keypoint {
                    x: fraction(x, level.luma.width),
                    y: fraction(y, level.luma.height),
                    level: number as u8,
                    angle,
                    sparse: usize::from(corner.rank) < config.sparse_corners_per_cell,
                    descriptor: descriptor::describe(&level.smooth, x, y, angle),
                });
            }
        }
        keypoints
    }
}

/// The centre of pixel `i` as 0..=65535 over `length` pixels.
fn fraction(i: usize, length: usize) -> u16 {
    ((i as f64 + 0.5) / length as f64 * 65535.0).round() as u16
}
