//! Answers of servers, kept for a while: a second question in the same minutes asks nobody, and a later one asks only whether
//! something has changed.
//!
//! An entry is a file that is named after its address: a line of JSON, and then the answer. Whatever is wrong with one, it is as good as
//! none.

use std::fs::DirEntry;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Entries that are older go when another one is kept.
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// Digits of an entry's name.
const NAME: usize = 32;
/// Longer answers are not kept.
const LONGEST: usize = 64 << 20;

/// What a server said about an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    pub url: String,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    /// Seconds since 1970.
    pub stored: u64,
}

/// An answer of before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub about: About,
    pub body: Vec<u8>,
}

impl Entry {
    /// True if it is younger than this. Of a clock that went backwards nothing is known.
    pub(super) fn is_younger(&self, than: Duration, now: SystemTime) -> bool {
        seconds(now).checked_sub(self.about.stored).is_some_and(|age| age < than.as_secs())
    }
}

/// The directory of answers.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    directory: PathBuf,
}

impl Cache {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.join("answers") }
    }

    fn path(&self, url: &str) -> PathBuf {
        let name: String = Sha256::digest(url.as_bytes()).iter().take(NAME / 2).map(|b| format!("{b:02x}")).collect();
        self.directory.join(name)
    }

    pub(super) fn read(&self, url: &str) -> Option<Entry> {
        let bytes = std::fs::read(self.path(url)).ok()?;
        let end = bytes.iter().position(|b| *b == b'\n')?;
        let about: About = serde_json::from_slice(&bytes[..end]).ok()?;
        (about.url == url).then(|| Entry { about, body: bytes[end + 1..].to_vec() })
    }

    /// Keeps an answer, where that is possible; a full disk is no reason not to use it now.
    pub(super) fn keep(&self, url: &str, about: About, body: &[u8], now: SystemTime) {
        if body.len() <= LONGEST {
            let about = About { url: url.to_owned(), stored: seconds(now), ..about };
            let _ = self.try_keep(&self.path(url), &about, body);
            self.forget_old(now);
        }
    }

    fn try_keep(&self, path: &Path, about: &About, body: &[u8]) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        serde_json::to_writer(&mut file, about)?;
        file.write_all(b"\n")?;
        file.write_all(body)?;
        file.persist(path)?;
        Ok(())
    }

    fn forget_old(&self, now: SystemTime) {
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return };
        // What has another name is not ours.
        let is_entry =
            |entry: &DirEntry| entry.file_name().to_str().is_some_and(|name| name.len() == NAME && name.bytes().all(|b| b.is_ascii_hexdigit()));
        for entry in entries.flatten().filter(is_entry) {
            let is_old = entry.metadata().and_then(|m| m.modified()).is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > KEPT_FOR));
            if is_old {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_for_its_address() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, now) = (Cache::new(directory.path()), UNIX_EPOCH + Duration::from_secs(1_000_000_000));
        cache.keep("http://x/a", About { etag: Some("\"1\"".to_owned()), ..About::default() }, b"one\ntwo", now);
        let entry = cache.read("http://x/a").unwrap();
        assert_eq!((entry.body.as_slice(), entry.about.etag.as_deref()), (&b"one\ntwo"[..], Some("\"1\"")));
        assert!(cache.read("http://x/b").is_none());
        let minute = Duration::from_secs(60);
        assert!(entry.is_younger(minute, now + minute / 2) && !entry.is_younger(minute, now + minute) && !entry.is_younger(minute, now - minute));
        std::fs::write(cache.path("http://x/a"), b"damaged").unwrap();
        assert!(cache.read("http://x/a").is_none());
        // Years later: what is old goes, but for what is not ours.
        let (other, later) = (cache.directory.join("thesis.tex"), SystemTime::now() + 400 * KEPT_FOR);
        std::fs::write(&other, b"x").unwrap();
        cache.keep("http://x/c", About::default(), b"c", later);
        assert!(other.exists() && !cache.path("http://x/a").exists());
    }
}
