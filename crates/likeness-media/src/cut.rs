//! What containers tell of bytes that are missing at the end of a file, without decoding it.
//!
//! A sentence for the reader, or `None` where the file is whole or its kind does not tell: MPEG
//! transport and program streams, AC-3 and other bare streams may end anywhere.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// The largest Ogg page: header, 255 segment lengths and 255 full segments (RFC 3533, section 6).
const OGG_PAGE: u64 = 27 + 255 + 255 * 255;
/// Boxes of an MP4 file that are looked at.
const MAX_BOXES: usize = 1 << 16;

/// Looks at a file of `size` bytes that starts with `head`; leaves its position anywhere.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn cut(file: &mut File, head: &[u8], size: u64) -> io::Result<Option<String>> {
    if head.starts_with(b"RIFF") {
        return Ok(riff(head, size));
    }
    if head.starts_with(b"OggS") {
        return ogg(file, size);
    }
    if head.get(4..8) == Some(b"ftyp") {
        return fragments(file, size);
    }
    Ok(None)
}

/// Bytes that a whole RIFF file may lack: some writers count chunks or padding that they leave out.
const RIFF_SLACK: u64 = 65_536;

/// RIFF (WAV, AVI) declares its bytes. FFmpeg shortens the declared length of a cut AVI file to match,
/// so that it tells nothing.
fn riff(head: &[u8], size: u64) -> Option<String> {
    let declared = u32::from_le_bytes(head.get(4..8)?.try_into().ok()?);
    // What is written to a pipe, or longer than 4 GiB, declares nothing or the largest number.
    let sensible = declared < u32::MAX - 4096;
    let declared = u64::from(declared) + 8;
    (sensible && size + RIFF_SLACK.min(declared / 10) < declared)
        .then(|| format!("the file has {size} of the declared {declared} bytes"))
}

/// The last page of an Ogg file is whole and ends a stream.
fn ogg(file: &mut File, size: u64) -> io::Result<Option<String>> {
    file.seek(SeekFrom::Start(size.saturating_sub(2 * OGG_PAGE)))?;
    let mut tail = Vec::new();
    file.take(2 * OGG_PAGE).read_to_end(&mut tail)?;
    // The letters may also stand inside a page's data: only version 0 is a header.
    let starts = (0..tail.len().saturating_sub(3)).rev();
    let last = starts
        .filter(|&at| tail[at..].starts_with(b"OggS"))
        .find(|&at| tail.get(at + 4).is_none_or(|&version| version == 0));
    let Some(page) = last.map(|at| &tail[at..]) else {
        return Ok(None);
    };
    let length = |page: &[u8]| -> Option<usize> {
        let segments = usize::from(*page.get(26)?);
        let lengths = page.get(27..27 + segments)?;
        Some(27 + segments + lengths.iter().map(|&l| usize::from(l)).sum::<usize>())
    };
    let whole = length(page).is_some_and(|length| length <= page.len());
    let last_of_stream = page.get(5).is_some_and(|flags| flags & 4 != 0);
    Ok(match (whole, last_of_stream) {
        (false, _) => Some("its last page is cut off".to_owned()),
        (true, false) => Some("no page marks the end of the stream".to_owned()),
        (true, true) => None,
    })
}

/// The last box of a fragmented MP4 file is whole. Of others the header tells the duration.
fn fragments(file: &mut File, size: u64) -> io::Result<Option<String>> {
    let (mut at, mut fragmented) = (0u64, false);
    for _ in 0..MAX_BOXES {
        if size - at < 8 {
            return Ok((fragmented && at < size).then(|| "its last fragment is cut off".to_owned()));
        }
        let mut header = [0; 16];
        file.seek(SeekFrom::Start(at))?;
        let read = file.take(16).read(&mut header)?;
        let [a, b, c, d, kind @ ..] = header;
        fragmented |= kind.starts_with(b"moof");
        let length = match u32::from_be_bytes([a, b, c, d]) {
            // To the end of the file.
            0 => return Ok(None),
            1 if read == 16 => u64::from_be_bytes(std::array::from_fn(|i| header[8 + i])),
            length => u64::from(length),
        };
        match at.checked_add(length) {
            Some(end) if length >= 8 && end <= size => at = end,
            // The check for the fragment's length is good for those only.
            _ if fragmented => return Ok(Some("its last fragment is cut off".to_owned())),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn check(bytes: &[u8], wanted: Option<&str>) {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("written");
        let head = &bytes[..bytes.len().min(16)];
        let found = cut(&mut file, head, bytes.len() as u64).expect("read");
        match wanted {
            Some(part) => assert!(found.expect("cut").contains(part)),
            None => assert_eq!(found, None),
        }
    }

    fn page(flags: u8, data: &[u8]) -> Vec<u8> {
        let mut page = b"OggS\0".to_vec();
        page.push(flags);
        page.extend([0; 20]);
        page.push(1);
        page.push(data.len() as u8);
        page.extend(data);
        page
    }

    #[test]
    fn ogg_ends_with_a_whole_last_page() {
        let body = [page(2, b"head"), page(0, b"OggS inside")].concat();
        let whole = [body.clone(), page(4, &[7; 200])].concat();
        check(&whole, None);
        check(&body, Some("no page marks the end"));
        for lost in [1, 150, 201, 223, 229] {
            check(&whole[..whole.len() - lost], Some("last page is cut"));
        }
        for lost in [226, 228] {
            check(&whole[..whole.len() - lost], Some("no page marks the end"));
        }
        // Tags and the like behind the last page are somebody else's.
        check(&[whole, b"ID3 or so".to_vec()].concat(), None);
    }

    fn mp4_box(kind: &[u8; 4], content: usize) -> Vec<u8> {
        let mut bytes = (content as u32 + 8).to_be_bytes().to_vec();
        bytes.extend(kind);
        bytes.extend(vec![0; content]);
        bytes
    }

    #[test]
    fn fragmented_mp4_ends_with_a_whole_box() {
        let plain = [mp4_box(b"ftyp", 8), mp4_box(b"mdat", 100)].concat();
        check(&plain, None);
        check(&plain[..60], None);
        let pieces = [b"ftyp", b"moov", b"moof", b"mdat"].map(|kind| mp4_box(kind, 50));
        let whole = pieces.concat();
        check(&whole, None);
        for lost in [1, 49, 53] {
            check(&whole[..whole.len() - lost], Some("last fragment"));
        }
    }

    #[test]
    fn riff_says_how_long_it_is() {
        let mut wave = b"RIFF\0\x01\0\0WAVE".to_vec();
        wave.resize(264, 0);
        check(&wave, None);
        check(&wave[..250], None);
        check(&wave[..200], Some("200 of the declared 264 bytes"));
    }
}
