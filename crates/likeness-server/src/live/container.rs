//! What a stream comes in.

/// Bytes by which a container is recognised.
pub(super) const ENOUGH: usize = 189;

const PACKET: usize = 188;

/// Whether a stream that begins so comes in a container that can be decoded while it comes: MPEG-TS,
/// Matroska, fragmented MP4, Ogg, FLV, or frames that each begin with a sync word (ADTS, MP3).
pub(super) fn can_be_followed(start: &[u8]) -> bool {
    let at = |offset: usize, magic: &[u8]| {
        start
            .get(offset..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    let transport = at(0, &[0x47]) && at(PACKET, &[0x47]);
    let frames = at(0, b"ID3") || at(0, &[0xff]) && start.get(1).is_some_and(|b| b & 0xe0 == 0xe0);
    let matroska = at(0, &[0x1a, 0x45, 0xdf, 0xa3]);
    let mp4 = at(4, b"ftyp") || at(4, b"styp");
    transport || frames || matroska || mp4 || at(0, b"OggS") || at(0, b"FLV\x01")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_recognised() {
        let check = |start: &[u8], want: bool| {
            let mut bytes = start.to_vec();
            bytes.resize(ENOUGH, 0);
            assert_eq!(can_be_followed(&bytes), want, "{start:x?}");
        };
        let mut packets = vec![0; ENOUGH];
        (packets[0], packets[PACKET]) = (0x47, 0x47);
        check(&packets, true);
        check(&packets[..PACKET], false);
        check(&[0x1a, 0x45, 0xdf, 0xa3], true);
        check(b"\0\0\0\x18ftypiso5", true);
        check(b"OggS\0", true);
        check(b"FLV\x01", true);
        check(&[0xff, 0xf1], true);
        check(&[0xff, 0xfb], true);
        check(b"ID3\x04", true);
        check(b"RIFF", false);
        check(b"", false);
    }
}
