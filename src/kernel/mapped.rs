//! A file's bytes in memory, read when they are touched.

use std::fs::File;
use std::ops::Deref;

use memmap2::Mmap;

/// A file as words of 32 bits, as the processor orders their bytes. What is left of the last word is not seen.
pub(crate) struct Mapped(Mmap);

impl Mapped {
    /// Maps a file, which must not be changed in place while this lives: whoever writes it writes another and renames it.
    pub(crate) fn new(file: &File) -> std::io::Result<Self> {
        // SAFETY: files that are mapped here are never changed or cut in place by paperkin. If another program does that, what
        // is read is other bytes, which checksums find, or the system ends the process, as it would for any mapped file.
        unsafe { Mmap::map(file) }.map(Self)
    }
}

impl Deref for Mapped {
    type Target = [i32];

    fn deref(&self) -> &[i32] {
        // SAFETY: any four bytes are an i32; what does not begin or end at a word is left out.
        unsafe { self.0.align_to() }.1
    }
}
