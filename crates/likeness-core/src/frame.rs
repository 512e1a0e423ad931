//! A decoded picture, as the decoder hands it to the fingerprinter.

/// One upright luma picture at its native resolution, borrowed from the decoder.
#[derive(Debug, Clone, Copy)]
pub struct LumaFrame<'a> {
    /// 8-bit luma, `stride` bytes a row; `data.len() >= stride * (height - 1) + width`.
    pub data: &'a [u8],
    /// Pixels in a row, >= 1.
    pub width: usize,
    /// Rows, >= 1.
    pub height: usize,
    /// Bytes from one row to the next, >= `width`.
    pub stride: usize,
    /// Width of a pixel over its height: the picture is shown `width * pixel_aspect` wide.
    pub pixel_aspect: f64,
    /// Presentation time in seconds from the start of the stream, never decreasing.
    pub time: f64,
}
