//! Where a stream can be cut so that what follows can still be decoded, and what has to stand
//! before it.

/// A container of which the tail can be decoded, after a header if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    /// Packets of 188 bytes; tables repeat.
    MpegTs,
    /// EBML header and tracks, then clusters.
    Matroska,
    /// `ftyp` and `moov`, then fragments.
    FragmentedMp4,
    /// Pages; those of the headers first.
    Ogg,
    /// Frames that each begin with a sync word: ADTS, MP3.
    Frames,
}

/// Bytes by which a container is recognised.
pub(super) const ENOUGH: usize = 189;

const PACKET: usize = 188;
const CLUSTER: [u8; 4] = [0x1f, 0x43, 0xb6, 0x75];

impl Container {
    /// Recognises a container by its first bytes.
    pub(super) fn of(start: &[u8]) -> Option<Container> {
        let at = |offset: usize, magic: &[u8]| {
            start
                .get(offset..)
                .is_some_and(|rest| rest.starts_with(magic))
        };
        let sync =
            |mask: u8, bits: u8| at(0, &[0xff]) && start.get(1).is_some_and(|b| b & mask == bits);
        if at(0, &[0x47]) && at(PACKET, &[0x47]) {
            Some(Container::MpegTs)
        } else if at(0, &[0x1a, 0x45, 0xdf, 0xa3]) {
            Some(Container::Matroska)
        } else if at(4, b"ftyp") || at(4, b"styp") {
            Some(Container::FragmentedMp4)
        } else if at(0, b"OggS") {
            Some(Container::Ogg)
        } else if at(0, b"ID3") || sync(0xe0, 0xe0) {
            Some(Container::Frames)
        } else {
            None
        }
    }

    /// The first place at or after `from` where what follows can be decoded.
    pub(super) fn next_cut(self, bytes: &[u8], from: usize) -> Option<usize> {
        let search =
            |is_cut: &dyn Fn(&[u8]) -> bool| (from..bytes.len()).find(|at| is_cut(&bytes[*at..]));
        match self {
            Container::MpegTs => {
                // Bytes may have been lost; two packets in a row are where they seem to be.
                search(&|rest| rest[0] == 0x47 && rest.get(PACKET) == Some(&0x47))
            }
            Container::Matroska => search(&|rest| rest.starts_with(&CLUSTER)),
            Container::FragmentedMp4 => {
                search(&|rest| rest.get(4..8) == Some(b"moof") && rest[0] == 0)
            }
            Container::Ogg => {
                // Not a page that goes on with a packet that began before.
                search(&|rest| {
                    rest.starts_with(b"OggS\0") && rest.get(5).is_some_and(|f| f & 1 == 0)
                })
            }
            Container::Frames => (from < bytes.len()).then_some(from),
        }
    }

    /// Bytes at the stream's beginning that have to stand before every tail.
    pub(super) fn header(self, bytes: &[u8]) -> usize {
        match self {
            Container::MpegTs | Container::Frames => 0,
            Container::Matroska | Container::FragmentedMp4 => self.next_cut(bytes, 0).unwrap_or(0),
            Container::Ogg => ogg_header(bytes),
        }
    }
}

/// Pages up to the first that holds media: until then their positions are 0.
fn ogg_header(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(page) = bytes.get(at..) {
        let (Some(position), Some(&segments)) = (page.get(6..14), page.get(26)) else {
            break;
        };
        let Some(lacing) = page.get(27..27 + usize::from(segments)) else {
            break;
        };
        // A position of -1: no packet ends on this page, as in long headers.
        let header = position == [0; 8] || position == [0xff; 8];
        if !page.starts_with(b"OggS") || !header {
            break;
        }
        at += 27 + usize::from(segments) + lacing.iter().map(|n| usize::from(*n)).sum::<usize>();
    }
    at.min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_recognised() {
        let check = |start: &[u8], want: Option<Container>| {
            let mut bytes = start.to_vec();
            bytes.resize(ENOUGH, 0);
            assert_eq!(Container::of(&bytes), want, "{start:x?}");
        };
        let mut packets = vec![0; ENOUGH];
        (packets[0], packets[PACKET]) = (0x47, 0x47);
        check(&packets, Some(Container::MpegTs));
        check(&packets[..PACKET], None);
        check(&[0x1a, 0x45, 0xdf, 0xa3], Some(Container::Matroska));
        check(b"\0\0\0\x18ftypiso5", Some(Container::FragmentedMp4));
        check(b"OggS\0", Some(Container::Ogg));
        check(&[0xff, 0xf1], Some(Container::Frames));
        check(&[0xff, 0xfb], Some(Container::Frames));
        check(b"ID3\x04", Some(Container::Frames));
        check(b"RIFF", None);
        check(b"", None);
    }

    #[test]
    fn cuts_are_found() {
        let check = |container: Container, bytes: &[u8], from, want| {
            assert_eq!(
                container.next_cut(bytes, from),
                want,
                "{container:?} {from}"
            );
        };
        let mut packets = vec![0; 600];
        for at in [100, 288, 476] {
            packets[at] = 0x47;
        }
        check(Container::MpegTs, &packets, 0, Some(100));
        check(Container::MpegTs, &packets, 101, Some(288));
        check(Container::MpegTs, &packets, 289, None);
        let clusters = [&b"head"[..], &CLUSTER, b"x", &CLUSTER].concat();
        check(Container::Matroska, &clusters, 0, Some(4));
        check(Container::Matroska, &clusters, 5, Some(9));
        assert_eq!(Container::Matroska.header(&clusters), 4);
        let pages = b"OggS\0\x01..OggS\0\x00..";
        check(Container::Ogg, pages, 0, Some(8));
        check(Container::Frames, b"abc", 1, Some(1));
        check(Container::Frames, b"abc", 3, None);
    }

    #[test]
    fn ogg_headers_end_where_media_begin() {
        let page = |position: u64, body: usize| {
            let mut page = b"OggS\0\0".to_vec();
            page.extend_from_slice(&position.to_le_bytes());
            page.extend_from_slice(&[0; 12]);
            page.extend_from_slice(&[1, body as u8]);
            page.resize(page.len() + body, 7);
            page
        };
        let headers = [page(0, 19), page(u64::MAX, 200), page(0, 30)].concat();
        let whole = [headers.clone(), page(960, 50)].concat();
        assert_eq!(Container::Ogg.header(&whole), headers.len());
        assert_eq!(Container::Ogg.header(&headers[..20]), 0);
    }
}
