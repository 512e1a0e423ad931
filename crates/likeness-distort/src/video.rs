//! The picture of a query: one filter graph from the source's file to the encoder.

use crate::audio::within;
use crate::error::DistortError;
use crate::graph::{Pull, quoted};
use crate::image_source;
use crate::random::Random;
use crate::recipe::{Background, Side, VideoStep, video_speed};
use crate::render::{Job, clock};
use crate::truth::{Mapping, Truth};
use ffmpeg_next::frame::Video;
use likeness_core::Rect;
use likeness_core::report::{DistortionKind, Media};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A graph that yields the query's pictures, their truth, and the files it reads that must be
/// deleted afterwards.
pub(crate) struct Pictures {
    pub(crate) pull: Pull,
    pub(crate) truth: Truth,
    pub(crate) scratch: Vec<PathBuf>,
}

/// Prepares the picture of `job`; `folder` takes drawn backgrounds.
pub(crate) fn prepare(
    job: &Job<'_>,
    steps: &[VideoStep],
    folder: &Path,
    random: &mut Random,
) -> Result<Pictures, DistortError> {
    let speed = video_speed(steps);
    let mut canvas = Canvas::new(job, speed, folder)?;
    for step in steps {
        canvas.apply(step, random)?;
    }
    if let Some(height) = job.recipe.encode.height {
        let width = even(f64::from(canvas.width * height) / f64::from(canvas.height));
        canvas.then(&format!("scale={width}:{height}"));
    }
    canvas.then("scale=trunc(iw/2)*2:trunc(ih/2)*2,format=yuv420p,setsar=1,settb=1/90000[out]");
    Ok(Pictures {
        pull: Pull::video(&canvas.graph)?,
        truth: canvas.truth(job, speed)?,
        scratch: canvas.scratch,
    })
}

/// A picture under construction: the graph so far, its size, and where the source lies in it.
struct Canvas<'a> {
    job: &'a Job<'a>,
    folder: &'a Path,
    graph: String,
    links: usize,
    width: u32,
    height: u32,
    rate: f64,
    mapping: Mapping,
    kinds: Vec<DistortionKind>,
    lenient: Vec<DistortionKind>,
    before: f64,
    scratch: Vec<PathBuf>,
}

/// The nearest even number of pixels, at least 2: what 4:2:0 pictures need.
fn even(pixels: f64) -> u32 {
    ((pixels / 2.0).round().max(1.0) as u32) * 2
}

impl<'a> Canvas<'a> {
    fn new(job: &'a Job<'a>, speed: f64, folder: &'a Path) -> Result<Canvas<'a>, DistortError> {
        let clock = clock(job.source)?;
        let (start, end) = (job.start, job.start + job.seconds * speed);
        // Constant frame rate first, so that the picture on screen at `start` is there even when it
        // came up earlier; then square pixels.
        let graph = format!(
            "movie=filename={},setpts=PTS-{}/TB,fps={}:start_time=0,trim=start={start}:end={end},\
             setpts=PTS-STARTPTS,scale=trunc(iw*sar/2+0.5)*2:trunc(ih/2)*2,setsar=1,format=yuv420p",
            quoted(job.source),
            clock.origin,
            clock.frame_rate,
        );
        let (width, height) = size(job, &graph)?;
        Ok(Canvas {
            job,
            folder,
            graph,
            links: 0,
            width,
            height,
            rate: clock.frame_rate,
            mapping: Mapping::identity(),
            kinds: Vec::new(),
            lenient: Vec::new(),
            before: 0.0,
            scratch: Vec::new(),
        })
    }

    /// Appends filters to the chain.
    fn then(&mut self, filters: &str) {
        self.graph.push(',');
        self.graph.push_str(filters);
    }

    /// Ends the chain in a named link and returns the name.
    fn link(&mut self) -> String {
        self.links += 1;
        let name = format!("[l{}]", self.links);
        self.graph.push_str(&name);
        self.graph.push(';');
        name
    }

    /// A rectangle in pixels as fractions of the picture.
    fn fraction(&self, x: u32, y: u32, width: u32, height: u32) -> Rect {
        let (w, h) = (f64::from(self.width), f64::from(self.height));
        let (x, y) = (f64::from(x), f64::from(y));
        Rect::new(
            x / w,
            y / h,
            (x + f64::from(width)) / w,
            (y + f64::from(height)) / h,
        )
    }

    fn apply(&mut self, step: &VideoStep, random: &mut Random) -> Result<(), DistortError> {
        match step {
            VideoStep::Speed { factor } => {
                within("speed", *factor, 0.5, 2.0, "0.5..=2")?;
                self.before /= factor;
                self.then(&format!("setpts=PTS/{factor},fps={}", self.rate));
            }
            VideoStep::Crop {
                left,
                top,
                right,
                bottom,
            } => {
                self.crop(*left, *top, *right, *bottom)?;
            }
            VideoStep::Zoom { factor } => {
                within("zoom", *factor, 1.0, 4.0, "1..=4")?;
                let (width, height) = (self.width, self.height);
                let side = (1.0 - factor.recip()) / 2.0;
                self.crop(side, side, side, side)?;
                self.then(&format!("scale={width}:{height}"));
                (self.width, self.height) = (width, height);
            }
            VideoStep::Inset {
                size,
                background,
                x,
                y,
            } => {
                within("inset", *size, 0.1, 0.99, "0.1..=0.99")?;
                let place = [x, y].map(|at| at.unwrap_or_else(|| random.unit()));
                self.inset(*size, *background, place, random)?;
            }
            VideoStep::Letterbox { share } => {
                within("letterbox", *share, 0.01, 0.8, "0.01..=0.8")?;
                self.letterbox(*share);
            }
            VideoStep::Vertical => self.vertical(),
            VideoStep::Mirror => {
                self.then("hflip");
                self.mapping.mirror();
                self.kinds.push(DistortionKind::Mirror);
            }
            VideoStep::Rotate { degrees } => {
                within("rotate", *degrees, -180.0, 180.0, "-180..=180")?;
                self.then(&format!("rotate={degrees}*PI/180:fillcolor=black"));
                self.mapping.rotate(*degrees);
                self.kinds.push(DistortionKind::Rotation);
                self.lenient(&[DistortionKind::Crop, DistortionKind::Border]);
            }
            VideoStep::Perspective { strength } => {
                within("perspective", *strength, 0.0, 0.3, "0..=0.3")?;
                self.then(&format!(
                    "perspective=x0=0:y0={strength}*H:x1=W:y1=0:x2=0:y2=H-{strength}*H:x3=W:y3=H"
                ));
                self.mapping.bend();
                self.lenient(&[DistortionKind::Crop, DistortionKind::Rotation]);
            }
            VideoStep::Stretch { factor } => {
                within("stretch", *factor, 0.3, 3.0, "0.3..=3")?;
                self.width = even(f64::from(self.width) * factor);
                self.then(&format!("scale={}:{}", self.width, self.height));
            }
            VideoStep::Split { side } => self.split(*side)?,
            VideoStep::Mosaic => self.mosaic(),
            VideoStep::Inside { before, after } => self.inside(*before, *after)?,
            VideoStep::Boxes { share } => {
                within("boxes", *share, 0.0, 0.3, "0..=0.3")?;
                self.boxes(*share, random);
            }
            VideoStep::Lines => self.lines(),
            VideoStep::Caption => self.caption(random),
            VideoStep::FrameRate { fps } => self.then(&format!("fps={fps}")),
            VideoStep::Drop { every } => {
                self.then(&format!("select='mod(n\\,{})'", (*every).max(2)));
            }
            light => self.light(light, random),
        }
        Ok(())
    }

    /// Steps that change the pixels' values and not their places.
    fn light(&mut self, step: &VideoStep, random: &mut Random) {
        match step {
            VideoStep::Colour {
                gamma,
                saturation,
                hue,
                brightness,
            } => {
                self.then(&format!(
                    "eq=gamma={gamma},hue=h={hue}:s={saturation},\
                     lutyuv=y='clip((val-16)*{brightness}+16\\,16\\,235)'"
                ));
            }
            VideoStep::Invert => self.then("negate"),
            VideoStep::Blur { sigma } => {
                let pixels = sigma * f64::from(self.height) / 480.0;
                self.then(&format!("gblur=sigma={pixels:.3}"));
            }
            VideoStep::Noise { strength } => {
                let seed = random.next_u64() % 1_000_000;
                let strength = (*strength).min(100);
                self.then(&format!("noise=alls={strength}:allf=t:all_seed={seed}"));
            }
            _ => {}
        }
    }

    fn lenient(&mut self, kinds: &[DistortionKind]) {
        self.lenient.extend_from_slice(kinds);
    }

    fn crop(&mut self, left: f64, top: f64, right: f64, bottom: f64) -> Result<(), DistortError> {
        for share in [left, top, right, bottom, left + right, top + bottom] {
            within("crop", share, 0.0, 0.9, "0..=0.9")?;
        }
        let (w, h) = (f64::from(self.width), f64::from(self.height));
        let at = |share: f64, size: f64| even(share * size + 2.0) - 2;
        let (x, y) = (at(left, w), at(top, h));
        let (width, height) = (
            even((1.0 - right) * w - f64::from(x)).min(self.width - x),
            even((1.0 - bottom) * h - f64::from(y)).min(self.height - y),
        );
        self.then(&format!("crop={width}:{height}:{x}:{y}"));
        self.mapping.crop(self.fraction(x, y, width, height));
        (self.width, self.height) = (width, height);
        Ok(())
    }

    fn inset(
        &mut self,
        size: f64,
        background: Background,
        place: [f64; 2],
        random: &mut Random,
    ) -> Result<(), DistortError> {
        let width = even(f64::from(self.width) * size).min(self.width);
        let height = even(f64::from(self.height) * size).min(self.height);
        let free = |room: u32, at: f64| even(f64::from(room) * at.clamp(0.0, 1.0) + 2.0) - 2;
        let x = free(self.width - width, place[0]).min(self.width - width);
        let y = free(self.height - height, place[1]).min(self.height - height);
        let backdrop = self.backdrop(background, random)?;
        self.then(&format!("scale={width}:{height}"));
        let ours = self.link();
        let (canvas_width, canvas_height) = (self.width, self.height);
        let _ = write!(
            self.graph,
            "{backdrop},scale={canvas_width}:{canvas_height}:force_original_aspect_ratio=increase,\
             crop={canvas_width}:{canvas_height},setsar=1,format=yuv420p",
        );
        let theirs = self.link();
        let _ = write!(self.graph, "{theirs}{ours}overlay={x}:{y}:shortest=1");
        self.mapping.inset(self.fraction(x, y, width, height));
        if background == Background::Video {
            self.kinds.push(DistortionKind::PictureInPicture);
            self.lenient(&[DistortionKind::Border]);
        } else {
            self.kinds.push(DistortionKind::Border);
        }
        Ok(())
    }

    /// A source of endless pictures to lie behind.
    fn backdrop(
        &mut self,
        background: Background,
        random: &mut Random,
    ) -> Result<String, DistortError> {
        let rate = self.rate;
        let still = |path: &Path| {
            format!(
                "movie=filename={},loop=loop=-1:size=1,setpts=N/{rate}/TB,fps={rate}",
                quoted(path)
            )
        };
        match background {
            Background::Black => Ok(format!(
                "color=c=black:s={}x{}:r={rate}",
                self.width, self.height
            )),
            Background::Pattern => {
                let path = self
                    .folder
                    .join(format!(".pattern-{:016x}.png", random.next_u64()));
                image_source::pattern(&path, self.width, self.height, random)?;
                self.scratch.push(path.clone());
                Ok(still(&path))
            }
            Background::Photo => {
                let photo = self.job.materials.photo;
                Ok(still(photo.ok_or(DistortError::NoMaterial("a photo"))?))
            }
            Background::Video => self.other_video(),
        }
    }

    /// Somebody else's moving picture, endlessly.
    fn other_video(&self) -> Result<String, DistortError> {
        let path = self
            .job
            .materials
            .video
            .ok_or(DistortError::NoMaterial("another video"))?;
        let own = clock(path)?.frame_rate;
        // A looped movie's clock starts again with each turn: count frames instead.
        Ok(format!(
            "movie=filename={}:loop=0,setpts=N/{own}/TB,fps={}",
            quoted(path),
            self.rate
        ))
    }

    fn letterbox(&mut self, share: f64) {
        let height = even(f64::from(self.height) / (1.0 - share)).max(self.height + 4);
        let top = even(f64::from(height - self.height) / 2.0);
        let own = self.height;
        self.then(&format!("pad={}:{height}:0:{top}:black", self.width));
        self.height = height;
        self.mapping.inset(self.fraction(0, top, self.width, own));
        self.kinds.push(DistortionKind::Border);
    }

    fn vertical(&mut self) {
        let (width, own) = (self.width, self.height);
        let height = even(f64::from(width) * 16.0 / 9.0).max(own);
        let top = even(f64::from(height - own) / 2.0 + 2.0) - 2;
        let blur = height / 40;
        self.graph.push_str(",split");
        let (ours, behind) = (
            format!("[o{}]", self.links + 1),
            format!("[b{}]", self.links + 1),
        );
        let _ = write!(
            self.graph,
            "{ours}{behind};{behind}scale={width}:{height}:force_original_aspect_ratio=increase,\
             crop={width}:{height},boxblur={blur}:2",
        );
        let blurred = self.link();
        let _ = write!(self.graph, "{blurred}{ours}overlay=0:{top}");
        self.height = height;
        self.mapping.inset(self.fraction(0, top, width, own));
        self.kinds.push(DistortionKind::Border);
        self.lenient(&[DistortionKind::PictureInPicture]);
    }

    fn split(&mut self, side: Side) -> Result<(), DistortError> {
        let (half, height) = (even(f64::from(self.width) / 2.0), self.height);
        self.then(&format!("scale={half}:{height},setsar=1"));
        let ours = self.link();
        let other = self.other_video()?;
        let _ = write!(
            self.graph,
            "{other},scale={half}:{height},setsar=1,format=yuv420p"
        );
        let theirs = self.link();
        let (first, second, x) = match side {
            Side::Left => (ours, theirs, 0),
            Side::Right => (theirs, ours, half),
        };
        let _ = write!(self.graph, "{first}{second}hstack=shortest=1");
        self.width = half * 2;
        self.mapping.inset(self.fraction(x, 0, half, height));
        self.kinds.push(DistortionKind::PictureInPicture);
        self.lenient(&[DistortionKind::Border]);
        Ok(())
    }

    fn mosaic(&mut self) {
        let (w, h) = (
            even(f64::from(self.width) / 2.0),
            even(f64::from(self.height) / 2.0),
        );
        let _ = write!(
            self.graph,
            ",scale={w}:{h},split=4[m0][m1][m2][m3];\
             [m0][m1][m2][m3]xstack=inputs=4:layout=0_0|w0_0|0_h0|w0_h0"
        );
        (self.width, self.height) = (2 * w, 2 * h);
        let places = [(0, 0), (w, 0), (0, h), (w, h)].map(|(x, y)| self.fraction(x, y, w, h));
        self.mapping.tile(&places);
        self.kinds.push(DistortionKind::PictureInPicture);
        self.lenient(&[DistortionKind::Border, DistortionKind::Overlay]);
    }

    fn inside(&mut self, before: f64, after: f64) -> Result<(), DistortError> {
        let ours = self.link();
        let (width, height) = (self.width, self.height);
        let mut parts = [String::new(), ours, String::new()];
        for (index, seconds) in [(0, before), (2, after)] {
            let other = self.other_video()?;
            let from = if index == 0 { 0.0 } else { before };
            let _ = write!(
                self.graph,
                "{other},scale={width}:{height},setsar=1,format=yuv420p,\
                 trim=start={from}:duration={seconds},setpts=PTS-STARTPTS"
            );
            parts[index] = self.link();
        }
        let _ = write!(self.graph, "{}concat=n=3:v=1:a=0", parts.concat());
        self.before += before;
        self.kinds.push(DistortionKind::Excerpt);
        Ok(())
    }

    /// Three boxes in different cells of a 3 x 3 grid, so that they never overlap.
    fn boxes(&mut self, share: f64, random: &mut Random) {
        let mut cells: Vec<u32> = (0..9).collect();
        random.shuffle(&mut cells);
        let side = (share / 3.0).sqrt();
        let (w, h) = (f64::from(self.width), f64::from(self.height));
        for cell in &cells[..3] {
            let x = (f64::from(cell % 3) / 3.0 + (1.0 / 3.0 - side) / 2.0) * w;
            let y = (f64::from(cell / 3) / 3.0 + (1.0 / 3.0 - side) / 2.0) * h;
            self.then(&format!(
                "drawbox=x={x:.0}:y={y:.0}:w={:.0}:h={:.0}:color=black:t=fill",
                side * w,
                side * h
            ));
        }
        self.kinds.push(DistortionKind::Overlay);
    }

    /// A frame of 4 % and a grid of translucent lines.
    fn lines(&mut self) {
        let border = even(f64::from(self.height) * 0.04);
        let (column, row) = (self.width / 6, self.height / 6);
        self.then(&format!(
            "drawgrid=w={column}:h={row}:t={}:color=white@0.4,drawbox=t={border}:color=red",
            (self.height / 160).max(2)
        ));
        self.kinds.push(DistortionKind::Overlay);
        self.lenient(&[DistortionKind::Border, DistortionKind::Crop]);
    }

    /// A dark band with strokes as letters have them, and a square logo in the upper right corner.
    fn caption(&mut self, random: &mut Random) {
        let (w, h) = (f64::from(self.width), f64::from(self.height));
        let mut filters = format!(
            "drawbox=x=0:y={:.0}:w={w}:h={:.0}:color=black@0.6:t=fill",
            h * 0.84,
            h * 0.12
        );
        for letter in 0..24 {
            let x = w * (0.1 + f64::from(letter) / 30.0);
            let (wide, tall) = (random.between(0.006, 0.02), random.between(0.03, 0.07));
            let _ = write!(
                filters,
                ",drawbox=x={x:.0}:y={:.0}:w={:.0}:h={:.0}:color=white:t=fill",
                h * (0.93 - tall),
                (w * wide).max(2.0),
                h * tall
            );
        }
        for (inset, colour) in [(0.0, "yellow"), (0.02, "blue"), (0.045, "white")] {
            let _ = write!(
                filters,
                ",drawbox=x={:.0}:y={:.0}:w={:.0}:h={:.0}:color={colour}:t=fill",
                w - h * (0.16 - inset),
                h * (0.04 + inset),
                h * (0.12 - 2.0 * inset),
                h * (0.12 - 2.0 * inset)
            );
        }
        self.then(&filters);
        self.kinds.push(DistortionKind::Overlay);
        self.lenient(&[DistortionKind::Crop]);
    }

    fn truth(&self, job: &Job<'_>, speed: f64) -> Result<Truth, DistortError> {
        let placement = self.mapping.placement().ok_or(DistortError::CutAway)?;
        let mut kinds = self.kinds.clone();
        if (speed - 1.0).abs() > 1e-6 {
            kinds.insert(0, DistortionKind::Speed);
        }
        let seen = placement.reference_rect;
        let cut = [seen.x0, seen.y0, 1.0 - seen.x1, 1.0 - seen.y1];
        if cut.iter().any(|share| *share > 0.03) {
            kinds.push(DistortionKind::Crop);
        }
        Ok(Truth {
            media: Media::Video,
            query_start: self.before,
            query_end: self.before + job.seconds,
            reference_start: job.start,
            speed,
            pitch_semitones: None,
            placement: Some(placement),
            kinds,
            lenient: self.lenient.clone(),
        })
    }
}

/// The size of the pictures that `graph` yields, from the first of them.
fn size(job: &Job<'_>, graph: &str) -> Result<(u32, u32), DistortError> {
    let mut frame = Video::empty();
    if Pull::video(&format!("{graph}[out]"))?.next(&mut frame)? {
        return Ok((frame.width(), frame.height()));
    }
    Err(DistortError::Empty {
        path: job.source.to_owned(),
        start: job.start,
        end: job.start + job.seconds,
    })
}
