//! The pictures of a match: moments of both works side by side, and the reference as the query shows
//! it.

use crate::Work;
use crate::embed;
use crate::excerpt::{self, Plan};
use image::imageops::{FilterType, resize};
use image::{GrayImage, Luma};
use likeness_core::{Rect, VideoFingerprint, text};
use likeness_match::video::{Placement, VideoMatchConfig, covered};
use std::fmt::Write;

/// The grey of what the reference says nothing of.
const NOTHING: u8 = 48;

/// What the page shows of a match of picture.
pub(crate) struct PictureView {
    pub(crate) moments: Vec<MomentView>,
    /// Whether the pictures of the query and the reference are only the fingerprint's.
    pub(crate) coarse: [bool; 2],
    /// Whether anything is marked as covered.
    pub(crate) covered: bool,
}

/// Both works at one moment.
pub(crate) struct MomentView {
    /// Of the query and of the reference, in words.
    pub(crate) times: [String; 2],
    /// The query, the reference, and the reference warped into the query's picture.
    pub(crate) panels: [Panel; 3],
}

/// A picture with what is drawn on it, in its pixels.
pub(crate) struct Panel {
    pub(crate) uri: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Corners of the part that both works show, as an SVG polygon; empty for none.
    pub(crate) outline: String,
    /// SVG path of the area that something covers; empty for none.
    pub(crate) cover: String,
}

/// The pictures of a match; `None` where nothing can be shown.
pub(crate) fn show(
    plan: &Plan,
    query: &Work,
    frames: [Option<GrayImage>; 3],
    reference: &Work,
) -> Option<PictureView> {
    let (own, other) = (query.video.as_deref()?, reference.video.as_deref()?);
    let placement = Placement::new(&plan.segment, other.aspect, own.aspect)?;
    let times: Vec<f64> = plan.moments.iter().map(|m| m.1).collect();
    let there = excerpt::frames(reference.file.as_deref(), &times);
    let coarse = [
        frames.iter().any(Option::is_none),
        there.iter().any(Option::is_none),
    ];
    let cells = match plan.covered {
        true => covered(own, other, &plan.segment, &VideoMatchConfig::default()),
        false => None,
    };
    let seen = plan.segment.reference_rect.unwrap_or(Rect::FULL);
    let moments = plan.moments.iter().zip(frames).zip(there);
    let moments: Vec<MomentView> = moments
        .filter_map(|((&(time, reference_time), own_frame), other_frame)| {
            let query = own_frame.or_else(|| thumbnail(own, time))?;
            let reference = other_frame.or_else(|| thumbnail(other, reference_time))?;
            let warped = warp(&reference, &placement, seen, query.dimensions());
            let cover = cells.as_deref().map_or(String::new(), |cells| {
                let film = &other.thumbnails;
                cover_path(
                    cells,
                    (film.width, film.height),
                    seen,
                    &placement,
                    query.dimensions(),
                )
            });
            let corners = corners(seen);
            let shown = corners.map(|corner| placement.to_query(corner));
            Some(MomentView {
                times: [text::time(time), text::time(reference_time)],
                panels: [
                    panel(&query, &shown, cover)?,
                    panel(&reference, &corners, String::new())?,
                    panel(&warped, &shown, String::new())?,
                ],
            })
        })
        .collect();
    Some(PictureView {
        coarse,
        covered: moments.iter().any(|m| !m.panels[0].cover.is_empty()),
        moments,
    })
}

fn corners(rect: Rect) -> [[f64; 2]; 4] {
    let Rect { x0, y0, x1, y1 } = rect;
    [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
}

fn panel(picture: &GrayImage, outline: &[[f64; 2]], cover: String) -> Option<Panel> {
    let (width, height) = picture.dimensions();
    let point = |p: &[f64; 2]| {
        format!(
            "{:.1},{:.1}",
            p[0] * f64::from(width),
            p[1] * f64::from(height)
        )
    };
    let points: Vec<String> = outline.iter().map(point).collect();
    Some(Panel {
        uri: embed::photograph(picture)?,
        width,
        height,
        outline: points.join(" "),
        cover,
    })
}

/// What a fingerprint's film shows at a time, enlarged.
fn thumbnail(film: &VideoFingerprint, time: f64) -> Option<GrayImage> {
    let thumbnails = &film.thumbnails;
    let last = thumbnails.len().checked_sub(1)?;
    let picture = thumbnails.picture(thumbnails.index(time).min(last));
    let (width, height) = (thumbnails.width as u32, thumbnails.height as u32);
    let picture = GrayImage::from_raw(width, height, picture.to_vec())?;
    let (width, height) = excerpt::size(film.aspect);
    Some(resize(&picture, width, height, FilterType::Triangle))
}

/// The visible part of the reference's picture where the query shows it.
fn warp(
    reference: &GrayImage,
    placement: &Placement,
    seen: Rect,
    (width, height): (u32, u32),
) -> GrayImage {
    let (columns, rows) = reference.dimensions();
    GrayImage::from_fn(width, height, |x, y| {
        let share = |i: u32, n: u32| (f64::from(i) + 0.5) / f64::from(n);
        let [u, v] = placement.to_reference([share(x, width), share(y, height)]);
        let inside = (seen.x0..seen.x1).contains(&u) && (seen.y0..seen.y1).contains(&v);
        let at = |share: f64, n: u32| ((share * f64::from(n)) as u32).min(n - 1);
        match inside {
            true => *reference.get_pixel(at(u, columns), at(v, rows)),
            false => Luma([NOTHING]),
        }
    })
}

/// Outlines of the covered cells, a row of the reference's thumbnail at a time, in the query's pixels.
fn cover_path(
    cells: &[Option<bool>],
    (columns, rows): (usize, usize),
    seen: Rect,
    placement: &Placement,
    (width, height): (u32, u32),
) -> String {
    let mut path = String::new();
    for row in 0..rows {
        let middle = (row as f64 + 0.5) / rows as f64;
        let on = |column: usize| {
            let x = (column as f64 + 0.5) / columns as f64;
            let inside = (seen.x0..seen.x1).contains(&x) && (seen.y0..seen.y1).contains(&middle);
            inside && cells[row * columns + column] == Some(true)
        };
        let mut column = 0;
        while column < columns {
            let end = (column..columns).find(|&c| !on(c)).unwrap_or(columns);
            if end > column {
                let rect = Rect::new(
                    column as f64 / columns as f64,
                    row as f64 / rows as f64,
                    end as f64 / columns as f64,
                    (row + 1) as f64 / rows as f64,
                );
                for (i, corner) in corners(rect).into_iter().enumerate() {
                    let [x, y] = placement.to_query(corner);
                    let (x, y) = (x * f64::from(width), y * f64::from(height));
                    let _ = write!(path, "{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' });
                }
                path.push('Z');
            }
            column = end.max(column + 1);
        }
    }
    path
}
