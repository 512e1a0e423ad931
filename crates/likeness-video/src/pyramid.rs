//! A picture at several scales, each with its smoothed twin.

use crate::kernels;
use crate::luma::Luma;
use crate::resample::Resampler;
use likeness_core::LumaFrame;
use likeness_core::video::{LEVELS, VideoConfig};

/// One scale of a picture.
#[derive(Debug)]
pub(crate) struct Level {
    /// Number of the level in the configuration.
    pub(crate) number: usize,
    /// The picture.
    pub(crate) luma: Luma,
    /// The picture after a 5x5 box filter: what descriptors compare.
    pub(crate) smooth: Luma,
}

/// The levels that are made straight from the decoder's frame, for one analysed frame: those for
/// queries only, and the finest of the others, from which [`levels`] makes the rest.
#[derive(Debug)]
pub(crate) struct Base {
    pictures: Vec<(usize, Luma)>,
}

/// Scales decoded frames to bases; keeps its tables.
#[derive(Debug, Default)]
pub(crate) struct BaseScaler {
    resamplers: [Resampler; LEVELS],
}

impl BaseScaler {
    /// Scales a frame shown with `aspect`. `dense`: with the levels that only queries need.
    pub(crate) fn scale(
        &mut self,
        frame: &LumaFrame<'_>,
        aspect: f64,
        dense: bool,
        config: &VideoConfig,
    ) -> Base {
        let own = (frame.width as f64 * frame.pixel_aspect * frame.height as f64).sqrt();
        let useful =
            |level: usize| f64::from(config.level_sizes[level]) <= own * config.max_enlargement;
        let first_common = (config.query_levels..LEVELS).find(|&l| useful(l));
        let extra = (0..config.query_levels).filter(|&l| dense && useful(l));
        let pictures = extra
            .chain(first_common)
            .map(|level| {
                let (width, height) = config.level_size(level, aspect);
                let mut picture = Luma::new(width, height);
                self.resamplers[level].scale(frame, &mut picture);
                (level, picture)
            })
            .collect();
        Base { pictures }
    }
}

/// All levels of a picture, finest first.
pub(crate) fn levels(base: Base, aspect: f64, config: &VideoConfig) -> Vec<Level> {
    let mut pictures = base.pictures;
    if let Some((finest, source)) = pictures
        .last()
        .cloned()
        .filter(|(l, _)| *l >= config.query_levels)
    {
        for level in finest + 1..LEVELS {
            let (width, height) = config.level_size(level, aspect);
            let mut picture = Luma::new(width, height);
            Resampler::default().scale(&source.as_frame(0.0), &mut picture);
            pictures.push((level, picture));
        }
    }
    let mut columns = Vec::new();
    pictures
        .into_iter()
        .map(|(number, luma)| {
            let mut smooth = Luma::new(luma.width, luma.height);
            box_filter(&luma, &mut smooth, &mut columns);
            Level {
                number,
                luma,
                smooth,
            }
        })
        .collect()
}

/// 5x5 box filter with repeated borders.
fn box_filter(source: &Luma, target: &mut Luma, columns: &mut Vec<u16>) {
    let (w, h) = (source.width, source.height);
    columns.resize(w, 0);
    for y in 0..h {
        columns.fill(0);
        for dy in 0..5 {
            let row = (y + dy).saturating_sub(2).min(h - 1);
            kernels::add_row(columns, &source.data[row * w..][..w]);
        }
        let out = &mut target.data[y * w..][..w];
        kernels::box_row(columns, out);
        for x in (0..w.min(2)).chain(w.saturating_sub(2)..w) {
            let near = (0..5).map(|dx| columns[(x + dx).saturating_sub(2).min(w - 1)]);
            let sum: u32 = near.map(u32::from).sum();
            out[x] = ((sum * 5243) >> 17) as u8;
        }
    }
}
