//! Input that is packed with gzip or Zstandard, unpacked as it is read.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::error::{Error, Result};

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A frame that holds no data begins with one of sixteen numbers; this is what is the same in them.
const SKIPPED: [u8; 3] = [0x2a, 0x4d, 0x18];
/// Zstandard packs with windows of up to 128 MiB unless it is made to use more; memory stays below this.
const WINDOW: u64 = 128 << 20;

/// The input itself, or what is packed in it.
pub(super) fn unpacked<'a>(origin: &str, mut input: impl BufRead + 'a) -> Result<Box<dyn BufRead + 'a>> {
    let mut head = Vec::new();
    input.by_ref().take(4).read_to_end(&mut head).map_err(|e| Error::io("cannot read", origin.as_ref(), e))?;
    let is_gzip = head.starts_with(&GZIP);
    let is_zstd = head.starts_with(&ZSTD) || head.get(1..) == Some(&SKIPPED) && head[0] & 0xf0 == 0x50;
    let input = Cursor::new(head).chain(input);
    Ok(match (is_gzip, is_zstd) {
        (true, _) => Box::new(BufReader::new(Gzip(MultiGzDecoder::new(input)))),
        (_, true) => Box::new(BufReader::new(Frames::new(input))),
        _ => Box::new(input),
    })
}

/// gzip, whose errors do not say that they are of what is packed.
struct Gzip<R>(MultiGzDecoder<R>);

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out).map_err(|e| broken(&e))
    }
}

/// The frames of Zstandard, one after the other.
pub(super) struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    is_open: bool,
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW);
        Self { source, decoder, is_open: false }
    }

    /// Begins the next frame that holds data; false at the end.
    fn open(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => {
                    self.is_open = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut self.source.by_ref().take(u64::from(length)), &mut io::sink())?;
                }
                Err(e) => return Err(broken(&e)),
            }
        }
        Ok(false)
    }

    /// A frame that ends with a checksum is what it was.
    fn close(&mut self) -> io::Result<()> {
        self.is_open = false;
        match (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum()) {
            (Some(told), Some(counted)) if told != counted => Err(io::Error::other("the packed data is damaged: its checksum is another")),
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_open && !self.open()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder.decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1)).map_err(|e| broken(&e))?;
            }
            let read = self.decoder.read(out)?;
            if read > 0 || out.is_empty() {
                return Ok(read);
            }
            self.close()?;
        }
    }
}

fn broken(error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("the packed data cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        unpacked("x", bytes).unwrap().read_to_string(&mut text).map(|_| text)
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::read::GzEncoder::new(text.as_bytes(), flate2::Compression::default());
        let mut bytes = Vec::new();
        encoder.read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn zstd(text: &str) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn packed_text_is_unpacked_and_other_text_is_left_alone() {
        let text = "a line of text\n".repeat(10_000);
        assert_eq!(read(text.as_bytes()).unwrap(), text);
        assert_eq!(read(b"").unwrap(), "");
        // Several parts in one file, as parallel packers and `cat` make them; a frame without data between them.
        let skipped = [&[0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        assert_eq!(read(&[gzip(&text), gzip("end")].concat()).unwrap(), text.clone() + "end");
        assert_eq!(read(&[skipped.clone(), zstd(&text), skipped, zstd("end")].concat()).unwrap(), text + "end");
    }

    #[test]
    fn damage_is_an_error() {
        let text = "a line of text\n".repeat(1000);
        for packed in [gzip(&text), zstd(&text)] {
            assert!(read(&packed[..packed.len() - 5]).is_err(), "cut off");
            let mut other = packed.clone();
            let middle = other.len() / 2;
            other[middle] ^= 0x55;
            assert!(read(&other).is_err() || read(&other).unwrap() == text, "changed");
        }
    }
}
