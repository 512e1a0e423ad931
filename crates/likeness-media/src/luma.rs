//! The luma plane of a decoded picture.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame;
use ffmpeg_next::software::scaling::{Context, Flags};

/// A luma plane: pixels, width, height, stride.
pub(crate) type Plane<'a> = (&'a [u8], usize, usize, usize);

/// Hands out the luma of frames: in place where they have an 8-bit luma plane, else converted.
#[derive(Default)]
pub(crate) struct LumaExtractor {
    converter: Option<Converter>,
}

struct Converter {
    context: Context,
    frame: frame::Video,
}

impl LumaExtractor {
    /// The luma plane of `frame`, which must hold a picture.
    pub(crate) fn plane<'a>(
        &'a mut self,
        frame: &'a frame::Video,
    ) -> Result<Plane<'a>, ffmpeg::Error> {
        if has_luma_plane(frame) {
            return first_plane(frame).ok_or(ffmpeg::Error::InvalidData);
        }
        let converted = self.convert(frame)?;
        first_plane(converted).ok_or(ffmpeg::Error::InvalidData)
    }

    fn convert(&mut self, frame: &frame::Video) -> Result<&frame::Video, ffmpeg::Error> {
        let (format, width, height) = (frame.format(), frame.width(), frame.height());
        let fits = |c: &Converter| {
            let from = c.context.input();
            (from.format, from.width, from.height) == (format, width, height)
        };
        if !self.converter.as_ref().is_some_and(fits) {
            // Not GRAY8, which swscale stretches to full range: luma must be the same whether a
            // file stores 8 or 10 bits.
            let to = Pixel::YUV420P;
            let context = Context::get(format, width, height, to, width, height, Flags::AREA)?;
            self.converter = Some(Converter {
                context,
                frame: frame::Video::empty(),
            });
        }
        let converter = self.converter.as_mut().ok_or(ffmpeg::Error::Bug)?;
        converter.context.run(frame, &mut converter.frame)?;
        Ok(&converter.frame)
    }
}

/// Whether the first plane is luma of 8 bits a pixel and top row first.
fn has_luma_plane(frame: &frame::Video) -> bool {
    const OTHER: i32 = ffi::AV_PIX_FMT_FLAG_RGB
        | ffi::AV_PIX_FMT_FLAG_PAL
        | ffi::AV_PIX_FMT_FLAG_BITSTREAM
        | ffi::AV_PIX_FMT_FLAG_HWACCEL
        | ffi::AV_PIX_FMT_FLAG_BAYER;
    // SAFETY: the frame is valid; the descriptor is null or points to a static table.
    unsafe {
        let raw = frame.as_ptr();
        let descriptor = ffi::av_pix_fmt_desc_get(frame.format().into());
        let Some(descriptor) = descriptor.as_ref() else {
            return false;
        };
        let luma = &descriptor.comp[0];
        let plain = luma.plane == 0 && luma.step == 1 && luma.offset == 0;
        let eight_bit = luma.depth == 8 && luma.shift == 0;
        let other = descriptor.flags & OTHER as u64 != 0;
        plain && eight_bit && !other && (*raw).linesize[0] > 0
    }
}

/// The first plane of 8-bit pixels.
fn first_plane(frame: &frame::Video) -> Option<Plane<'_>> {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    // SAFETY: the frame is valid. Its first plane has `height` rows of at least `width` bytes,
    // `linesize` apart; rows may be followed by padding that is not ours to read after the last.
    unsafe {
        let raw = frame.as_ptr();
        let stride = usize::try_from((*raw).linesize[0]).ok()?;
        let data = (*raw).data[0];
        if data.is_null() || width == 0 || height == 0 || stride < width {
            return None;
        }
        let length = stride * (height - 1) + width;
        let bytes = std::slice::from_raw_parts(data, length);
        Some((bytes, width, height, stride))
    }
}
