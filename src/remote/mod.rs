//! Polite HTTP: what is fetched from the network, and nothing that is not asked for.
//!
//! Only this room opens connections, and only the feature `remote` compiles it. It knows nothing of models and papers: which files a
//! model consists of is told to it by its caller, and pages of papers are bytes. Here is what addresses, names and headers say,
//! whatever is fetched.
//!
//! | file | what it does |
//! |---|---|
//! | `hub` | a model into the hub's cache |
//! | `address` | what can be asked for |
//! | `live` | the pages of an answer |
//! | `client`, `cache` | asking politely, and not twice |

use std::path::Path;
use std::time::Duration;

use ureq::Body;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER};
use ureq::http::{Response, Uri};

use crate::error::{Error, Result};

pub mod address;
mod cache;
pub mod client;
pub mod hub;
pub mod live;

/// A server may ask to wait for hours; a person in front of a program does not.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A path as it stands in an address.
fn escaped(path: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~' | b'/');
    path.bytes().map(|b| if is_plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Scheme, host and port: what a token is for.
fn origin(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?).to_ascii_lowercase())
}

fn is_loopback(url: &str) -> bool {
    let host = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    host.is_some_and(|host| matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]"))
}

fn is_web_page(answer: &Response<Body>) -> bool {
    answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/html"))
}

fn length(answer: &Response<Body>) -> Option<u64> {
    answer.headers().get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// `N` of `bytes N-M/TOTAL`.
fn range_start(answer: &Response<Body>) -> Option<u64> {
    let range = answer.headers().get(CONTENT_RANGE)?.to_str().ok()?.trim().strip_prefix("bytes ")?;
    range.split_once('-')?.0.trim().parse().ok()
}

/// How long a busy server wants to be left alone.
fn pause(answer: &Response<Body>) -> Duration {
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    asked.map_or(Duration::from_millis(500), Duration::from_secs).min(LONGEST_PAUSE)
}

/// Refuses a name that would lead out of the model's directory.
fn inside(name: &str) -> Result<()> {
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':', '\0']);
    if name.split('/').all(is_part) { Ok(()) } else { Err(Error::usage(format!("{name:?} is not a name of something on the hub"))) }
}

fn create_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    std::fs::create_dir_all(parent).map_err(|e| Error::io("create", parent, e))
}

/// The link is relative, so that the cache can be moved.
#[cfg(unix)]
fn link(pointer: &Path, relative: &Path, _blob: &Path) -> Result<()> {
    if std::fs::read_link(pointer).is_ok_and(|there| there == relative) {
        return Ok(());
    }
    match std::fs::remove_file(pointer) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io("replace", pointer, e)),
        _ => {}
    }
    std::os::unix::fs::symlink(relative, pointer).map_err(|e| Error::io("link", pointer, e))
}

/// Where a link needs a privilege, the file is there twice.
#[cfg(not(unix))]
fn link(pointer: &Path, _relative: &Path, blob: &Path) -> Result<()> {
    let length = |path: &Path| std::fs::metadata(path).map(|m| m.len()).ok();
    if length(pointer).is_some() && length(pointer) == length(blob) {
        return Ok(());
    }
    std::fs::copy(blob, pointer).map(drop).map_err(|e| Error::io("copy", pointer, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        for name in ["org/tiny", "main", "refs/pr/1", "1_Pooling/config.json"] {
            assert!(inside(name).is_ok(), "{name}");
        }
        for name in ["", "/etc/passwd", "../a", "a/../b", "a//b", "a/.", "C:/a", "a\\b"] {
            assert!(inside(name).is_err(), "{name}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        assert_eq!(origin("HTTP://Hub.example:80/a?b").as_deref(), Some("http://hub.example:80"));
        assert_ne!(origin("http://127.0.0.1:1/a"), origin("http://127.0.0.1:2/a"));
        assert_eq!(origin("/a"), None);
    }

    #[test]
    fn an_address_is_escaped() {
        assert_eq!(escaped("a b/c?.json"), "a%20b/c%3F.json");
    }
}
