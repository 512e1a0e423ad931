//! A header that makes bare samples a WAV stream.

use crate::proto::{PcmFormat, SampleFormat};
use crate::refusal::invalid;
use tonic::Status;

/// The size of what goes on.
const UNKNOWN: [u8; 4] = [0xff; 4];

/// How bare samples are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wav {
    rate: u32,
    channels: u16,
    bytes_per_sample: u16,
    float: bool,
}

impl Wav {
    pub(super) fn new(format: &PcmFormat) -> Result<Wav, Status> {
        let (bytes_per_sample, float) = match format.sample_format() {
            SampleFormat::S16 => (2, false),
            SampleFormat::F32 => (4, true),
            SampleFormat::Unspecified => return Err(invalid("no sample format")),
        };
        if !(8_000..=192_000).contains(&format.sample_rate) {
            return Err(invalid("a sample rate is 8000 to 192000 Hz"));
        }
        if !(1..=8).contains(&format.channels) {
            return Err(invalid("there are 1 to 8 channels"));
        }
        Ok(Wav {
            rate: format.sample_rate,
            channels: format.channels as u16,
            bytes_per_sample,
            float,
        })
    }

    /// What stands before samples whose number is not known.
    pub(super) fn header(&self) -> Vec<u8> {
        let block = u32::from(self.channels * self.bytes_per_sample);
        let float = u16::from(self.float);
        let mut header = Vec::with_capacity(44);
        header.extend_from_slice(b"RIFF");
        header.extend_from_slice(&UNKNOWN);
        header.extend_from_slice(b"WAVEfmt ");
        header.extend_from_slice(&16u32.to_le_bytes());
        header.extend_from_slice(&(1 + 2 * float).to_le_bytes());
        header.extend_from_slice(&self.channels.to_le_bytes());
        header.extend_from_slice(&self.rate.to_le_bytes());
        header.extend_from_slice(&(self.rate * block).to_le_bytes());
        header.extend_from_slice(&(block as u16).to_le_bytes());
        header.extend_from_slice(&(self.bytes_per_sample * 8).to_le_bytes());
        header.extend_from_slice(b"data");
        header.extend_from_slice(&UNKNOWN);
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(sample_rate: u32, channels: u32, sample_format: SampleFormat) -> PcmFormat {
        PcmFormat {
            sample_rate,
            channels,
            sample_format: sample_format.into(),
        }
    }

    #[test]
    fn formats_are_checked() {
        let check = |rate, channels, sample, fine| {
            assert_eq!(Wav::new(&format(rate, channels, sample)).is_ok(), fine);
        };
        check(48_000, 2, SampleFormat::S16, true);
        check(7_999, 2, SampleFormat::S16, false);
        check(48_000, 0, SampleFormat::F32, false);
        check(48_000, 9, SampleFormat::F32, false);
        check(48_000, 2, SampleFormat::Unspecified, false);
    }

    #[test]
    fn a_header_tells_the_format() {
        let wav = Wav::new(&format(48_000, 2, SampleFormat::F32)).unwrap();
        let header = wav.header();
        assert_eq!(header.len(), 44);
        assert_eq!(header[20..24], [3, 0, 2, 0]);
        assert_eq!(header[28..32], (48_000u32 * 8).to_le_bytes());
    }
}
