//! A header that makes bare samples a WAV file.

use crate::proto::{PcmFormat, SampleFormat};
use crate::refusal::invalid;
use tonic::Status;

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

    /// Bytes of one sample of all channels.
    pub(super) fn block(&self) -> usize {
        usize::from(self.channels * self.bytes_per_sample)
    }

    /// Bytes of so many seconds, whole blocks.
    pub(super) fn bytes(&self, seconds: f64) -> usize {
        (seconds * f64::from(self.rate)) as usize * self.block()
    }

    pub(super) fn seconds(&self, bytes: usize) -> f64 {
        (bytes / self.block()) as f64 / f64::from(self.rate)
    }

    /// What stands before `bytes` bytes of samples.
    pub(super) fn header(&self, bytes: usize) -> Vec<u8> {
        let size = u32::try_from(bytes).unwrap_or(u32::MAX - 64);
        let (block, float) = (self.block() as u32, u16::from(self.float));
        let mut header = Vec::with_capacity(44);
        header.extend_from_slice(b"RIFF");
        header.extend_from_slice(&(size + 36).to_le_bytes());
        header.extend_from_slice(b"WAVEfmt ");
        header.extend_from_slice(&16u32.to_le_bytes());
        header.extend_from_slice(&(1 + 2 * float).to_le_bytes());
        header.extend_from_slice(&self.channels.to_le_bytes());
        header.extend_from_slice(&self.rate.to_le_bytes());
        header.extend_from_slice(&(self.rate * block).to_le_bytes());
        header.extend_from_slice(&(block as u16).to_le_bytes());
        header.extend_from_slice(&(self.bytes_per_sample * 8).to_le_bytes());
        header.extend_from_slice(b"data");
        header.extend_from_slice(&size.to_le_bytes());
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
    fn seconds_and_bytes() {
        let wav = Wav::new(&format(48_000, 2, SampleFormat::F32)).unwrap();
        assert_eq!(wav.bytes(1.5), 48_000 * 12);
        assert_eq!(wav.seconds(48_000 * 12 + 3), 1.5);
        assert_eq!(wav.header(8).len(), 44);
    }
}
