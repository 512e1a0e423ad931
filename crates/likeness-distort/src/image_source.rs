//! Pictures drawn by lot: patterns to lie behind a copy, and queries that hold nobody's work.

use crate::encode;
use crate::error::DistortError;
use crate::graph::{Pull, quoted};
use crate::random::Random;
use crate::recipe::Encoding;
use image::{Rgb, RgbImage};
use std::path::{Path, PathBuf};

/// A moving picture that is nobody's work, to see that nothing is found in it.
#[derive(Debug, Clone, PartialEq)]
pub enum Generated {
    /// Photos shown one after another for three seconds each.
    Slideshow(Vec<PathBuf>),
    /// Grain.
    Noise,
    /// Nothing.
    Black,
    /// A test card with a running counter.
    TestCard,
    /// Colour bars.
    Bars,
    /// One drawn pattern that stands still.
    Pattern,
}

/// Writes `seconds` of `what` at 640x360, 25 pictures a second, as `folder/name.mp4`.
pub fn render_generated(
    what: &Generated,
    seconds: f64,
    folder: &Path,
    name: &str,
    random: &mut Random,
) -> Result<PathBuf, DistortError> {
    const SIZE: &str = "s=640x360:r=25";
    let mut drawn = None;
    let source = match what {
        Generated::Slideshow(photos) => slideshow(photos),
        Generated::Noise => format!(
            "color=c=gray:{SIZE},noise=alls=100:allf=t:all_seed={}",
            random.next_u64() % 1_000_000
        ),
        Generated::Black => format!("color=c=black:{SIZE}"),
        Generated::TestCard => "testsrc=s=640x360:r=25".to_owned(),
        Generated::Bars => "smptehdbars=s=640x360:r=25".to_owned(),
        Generated::Pattern => {
            let path = folder.join(format!(".pattern-{:016x}.png", random.next_u64()));
            pattern(&path, 640, 360, random)?;
            let source = format!(
                "movie=filename={},loop=loop=-1:size=1,setpts=N/25/TB,fps=25",
                quoted(&path)
            );
            drawn = Some(path);
            source
        }
    };
    // Grain is dear to encode, and nobody looks at it.
    let encoding = Encoding {
        crf: 30,
        ..Encoding::default()
    };
    let graph =
        format!("{source},trim=duration={seconds},format=yuv420p,setsar=1,settb=1/90000[out]");
    let path = folder.join(format!("{name}.mp4"));
    let encoded = Pull::video(&graph).and_then(|pull| encode::video(pull, &encoding));
    if let Some(drawn) = drawn {
        // A leftover picture in the folder does no harm.
        let _ = std::fs::remove_file(drawn);
    }
    let stream = encoded?.ok_or_else(|| DistortError::Empty {
        path: path.clone(),
        start: 0.0,
        end: seconds,
    })?;
    encode::write(&path, vec![stream])?;
    Ok(path)
}

fn slideshow(photos: &[PathBuf]) -> String {
    let mut graph = String::new();
    for (index, photo) in photos.iter().enumerate() {
        graph.push_str(&format!(
            "movie=filename={},scale=640:360:force_original_aspect_ratio=increase,crop=640:360,\
             setsar=1,format=yuv420p,loop=loop=-1:size=1,setpts=N/25/TB,fps=25,trim=duration=3[p{index}];",
            quoted(photo)
        ));
    }
    for index in 0..photos.len() {
        graph.push_str(&format!("[p{index}]"));
    }
    graph.push_str(&format!("concat=n={}:v=1:a=0", photos.len()));
    graph
}

/// Draws tiles, discs and stripes in random colours: plenty of corners everywhere.
pub(crate) fn pattern(
    path: &Path,
    width: u32,
    height: u32,
    random: &mut Random,
) -> Result<(), DistortError> {
    let mut picture = RgbImage::new(width, height);
    let mut colour = {
        let mut random = random.clone();
        move || Rgb([0; 3].map(|_: u8| random.index(256) as u8))
    };
    let tile = (height / (4 + random.index(8) as u32)).max(4);
    let across = width.div_ceil(tile);
    let count = across * height.div_ceil(tile);
    let tiles: Vec<_> = (0..count).map(|_| [colour(), colour()]).collect();
    let kinds: Vec<usize> = (0..count).map(|_| random.index(4)).collect();
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let index = (y / tile * across + x / tile) as usize;
        let (u, v) = (x % tile, y % tile);
        let middle = i64::from(tile / 2);
        let from_middle = (i64::from(u) - middle).pow(2) + (i64::from(v) - middle).pow(2);
        let front = match kinds[index] {
            0 => false,
            1 => from_middle * 9 < middle.pow(2) * 4,
            2 => ((u + v) / (tile / 4).max(1)).is_multiple_of(2),
            _ => u > v,
        };
        *pixel = tiles[index][usize::from(front)];
    }
    picture.save(path).map_err(|source| DistortError::Picture {
        path: path.to_owned(),
        source,
    })
}
