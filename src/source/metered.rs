//! Input of which no piece is larger than memory shall hold.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

/// A record may have this many bytes; none is near it.
pub(super) const LARGEST: usize = 16 << 20;

/// Input that ends in an error where one piece of it, such as the text between two tags, is larger than all of a record may be: who
/// reads it would take the piece whole.
pub(super) struct Metered<R> {
    input: R,
    /// What ends a piece, for the message.
    end: &'static str,
    meter: Meter,
}

/// Bytes since the last piece.
#[derive(Clone, Default)]
pub(super) struct Meter(Rc<Cell<usize>>);

impl Meter {
    /// The piece was read.
    pub(super) fn reset(&self) {
        self.0.set(0);
    }
}

impl<R: BufRead> Metered<R> {
    pub(super) fn new(input: R, end: &'static str) -> (Self, Meter) {
        let meter = Meter::default();
        (Self { input, end, meter: meter.clone() }, meter)
    }
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let read = self.meter.0.get();
        if read > LARGEST {
            return Err(io::Error::other(format!("more than {} MiB without {}", LARGEST >> 20, self.end)));
        }
        self.input.fill_buf().map(|bytes| &bytes[..bytes.len().min(LARGEST + 1 - read)])
    }

    fn consume(&mut self, count: usize) {
        self.meter.0.set(self.meter.0.get() + count);
        self.input.consume(count);
    }
}
