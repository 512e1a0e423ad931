//! Small luma pictures, and area-averaged scaling into them.

use likeness_core::LumaFrame;

/// An owned 8-bit luma picture, rows without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Luma {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` values.
    pub data: Vec<u8>,
}

impl Luma {
    /// A black picture.
    pub fn new(width: usize, height: usize) -> Luma {
        Luma {
            width,
            height,
            data: vec![0; width * height],
        }
    }

    /// The value at a column and row inside the picture.
    #[inline]
    pub fn at(&self, x: usize, y: usize) -> u8 {
        self.data[y * self.width + x]
    }

    /// The whole picture as a frame of square pixels.
    pub fn as_frame(&self, time: f64) -> LumaFrame<'_> {
        LumaFrame {
            data: &self.data,
            width: self.width,
            height: self.height,
            stride: self.width,
            pixel_aspect: 1.0,
            time,
        }
    }
}

/// Scales pictures by averaging the source area of each target pixel; keeps its row buffer, so
/// that scaling every frame of a film allocates nothing.
#[derive(Debug, Default)]
pub struct AreaScaler {
    sums: Vec<u32>,
}

impl AreaScaler {
    /// Fills `target` with the frame scaled to its size. Where the target is larger than the
    /// source, the nearest source pixel is repeated.
    pub fn scale(&mut self, frame: &LumaFrame<'_>, target: &mut Luma) {
        let (tw, th) = (target.width, target.height);
        self.sums.resize(frame.width, 0);
        for ty in 0..th {
            let (y0, y1) = span(ty, th, frame.height);
            self.sums.fill(0);
            for y in y0..y1 {
                let row = &frame.data[y * frame.stride..][..frame.width];
                for (sum, &value) in self.sums.iter_mut().zip(row) {
                    *sum += u32::from(value);
                }
            }
            let rows = (y1 - y0) as u32;
            let out = &mut target.data[ty * tw..][..tw];
            for (tx, out) in out.iter_mut().enumerate() {
                let (x0, x1) = span(tx, tw, frame.width);
                let area = rows * (x1 - x0) as u32;
                let sum: u32 = self.sums[x0..x1].iter().sum();
                *out = ((sum + area / 2) / area) as u8;
            }
        }
    }
}

/// The source pixels `[from, to)` behind target pixel `i` of `target`, at least one.
fn span(i: usize, target: usize, source: usize) -> (usize, usize) {
    let from = i * source / target;
    let to = ((i + 1) * source / target).max(from + 1);
    (from, to)
}

/// Bilinear scaling of one small picture into another, for the steps of a pyramid.
pub fn resample(source: &Luma, target: &mut Luma) {
    let sx = source.width as f32 / target.width as f32;
    let sy = source.height as f32 / target.height as f32;
    for ty in 0..target.height {
        let (y, fy) = tap(ty, sy, source.height);
        let upper = &source.data[y * source.width..][..source.width];
        let lower = &source.data[(y + 1).min(source.height - 1) * source.width..][..source.width];
        for tx in 0..target.width {
            let (x, fx) = tap(tx, sx, source.width);
            let next = (x + 1).min(source.width - 1);
            let top = mix(upper[x], upper[next], fx);
            let bottom = mix(lower[x], lower[next], fx);
            target.data[ty * target.width + tx] =
                ((top * (256 - fy) + bottom * fy + 32768) >> 16) as u8;
        }
    }
}

/// Left tap and 8-bit weight of the right tap for the centre of target pixel `i`.
fn tap(i: usize, scale: f32, length: usize) -> (usize, u32) {
    let centre = ((i as f32 + 0.5) * scale - 0.5).clamp(0.0, (length - 1) as f32);
    (centre as usize, (centre.fract() * 256.0) as u32)
}

fn mix(a: u8, b: u8, weight: u32) -> u32 {
    u32::from(a) * (256 - weight) + u32::from(b) * weight
}
