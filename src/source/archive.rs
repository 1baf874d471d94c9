//! Files that are packed together with zip, one after the other. Nothing is unpacked to a disk.

use std::fs::File;
use std::io::{self, BufRead, Read, Seek};

use zip::ZipArchive;

use super::unreadable;
use crate::error::{Error, Result};

const ZIP: &[u8] = b"PK\x03\x04";

/// An archive that is open.
pub struct Archive {
    origin: String,
    zip: ZipArchive<File>,
}

impl Archive {
    /// Looks whether an input is an archive; nothing is taken from it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if reading fails.
    pub fn is_one(origin: &str, input: &mut impl BufRead) -> Result<bool> {
        Ok(input.fill_buf().map_err(|e| Error::io("cannot read", origin.as_ref(), e))?.starts_with(ZIP))
    }

    /// Opens an archive that is called `origin` in messages.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] if it is damaged or cut off: what it holds is written at its end.
    pub fn open(origin: &str, file: File) -> Result<Self> {
        let zip = ZipArchive::new(file).map_err(|e| unreadable(origin, format!("the zip file cannot be read: {e}")))?;
        Ok(Self { origin: origin.to_owned(), zip })
    }

    /// [`Archive::open`] for an input that cannot be read twice: it is kept in a file without a name until it is read.
    ///
    /// # Errors
    ///
    /// As [`Archive::open`], and [`Error::Io`] if it cannot be kept.
    pub fn open_stream(origin: &str, mut input: impl Read) -> Result<Self> {
        let mut kept = || -> io::Result<File> {
            let mut file = tempfile::tempfile()?;
            io::copy(&mut input, &mut file)?;
            file.rewind()?;
            Ok(file)
        };
        Self::open(origin, kept().map_err(|e| Error::io("cannot read", origin.as_ref(), e))?)
    }

    /// How many files and directories it holds.
    pub fn len(&self) -> usize {
        self.zip.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.zip.is_empty()
    }

    /// The name of a file in it and what it holds; nothing for directories and hidden files.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] if it is damaged, encrypted, or packed in another way than any reader of zip knows.
    pub fn entry(&mut self, number: usize) -> Result<Option<(String, impl Read + '_)>> {
        let origin = &self.origin;
        let entry = self.zip.by_index(number).map_err(|e| unreadable(origin, format!("file {} of the zip file cannot be read: {e}", number + 1)))?;
        let name = entry.name().map_or_else(|_| format!("file {}", number + 1), |name| name.into_owned());
        let is_hidden = name.split('/').any(|part| part.starts_with('.') || part == "__MACOSX");
        Ok((entry.is_file() && !is_hidden).then_some((name, entry)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::write::SimpleFileOptions;

    use super::*;

    fn packed() -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in [("a.txt", "one"), ("__MACOSX/a.txt", "two"), (".b", "three"), ("d/c.txt", "four")] {
            writer.start_file(name, SimpleFileOptions::default()).unwrap();
            writer.write_all(text.repeat(1000).as_bytes()).unwrap();
        }
        writer.add_directory("e", SimpleFileOptions::default()).unwrap();
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn every_file_is_read_but_hidden_ones() {
        let bytes = packed();
        assert!(Archive::is_one("x.zip", &mut &bytes[..]).unwrap());
        let mut archive = Archive::open_stream("x.zip", &bytes[..]).unwrap();
        let mut found = Vec::new();
        for number in 0..archive.len() {
            if let Some((name, mut entry)) = archive.entry(number).unwrap() {
                let mut text = String::new();
                entry.read_to_string(&mut text).unwrap();
                found.push((name, text.len()));
            }
        }
        assert_eq!(found, [("a.txt".to_owned(), 3000), ("d/c.txt".to_owned(), 4000)]);
    }

    #[test]
    fn damage_is_an_error() {
        let bytes = packed();
        for cut in [10, bytes.len() / 2, bytes.len() - 3] {
            assert!(Archive::open_stream("x.zip", &bytes[..cut]).is_err(), "{cut}");
        }
        let mut other = bytes.clone();
        other[40] ^= 0x55;
        let mut archive = Archive::open_stream("x.zip", &other[..]).unwrap();
        let read = archive.entry(0).and_then(|entry| entry.unwrap().1.read_to_end(&mut Vec::new()).map_err(|e| Error::io("read", "x".as_ref(), e)));
        assert!(read.is_err());
    }
}
