//! A client that servers like: one connection at a time, a pause between two questions, what they ask for in headers, and nothing
//! asked twice that can be kept.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use ureq::http::header::{CACHE_CONTROL, ETAG, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER};
use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

use super::cache::{About, Cache, Entry};
use super::is_loopback;
use crate::error::{Error, Result};

/// A page of an answer may have this many bytes.
const MOST_BYTES: u64 = 256 << 20;
/// Of what a server says about a fault, so much is told.
const TOLD: usize = 200;
/// Before the second attempt, where the server does not say; twice as long before each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// How to ask.
#[derive(Debug, Clone)]
pub struct Options {
    /// An address for letters, told to servers, so that they can write before they shut one out.
    pub contact: Option<String>,
    /// Where answers are kept.
    pub cache: Option<PathBuf>,
    /// Answers that are younger are used without asking.
    pub fresh_for: Duration,
    /// Between two questions to arXiv, as its terms demand; a third of it between two to another server.
    pub pause: Duration,
    /// A server that asks for a longer wait is not waited for.
    pub longest_wait: Duration,
    /// How long the other side may be silent.
    pub stall_timeout: Duration,
    /// How often a question is asked again after a fault that may pass.
    pub retries: u32,
    /// The time now.
    pub clock: fn() -> SystemTime,
}

impl Options {
    /// As servers ask for it, with a clock.
    pub fn new(clock: fn() -> SystemTime) -> Self {
        Self {
            contact: None,
            cache: None,
            fresh_for: Duration::from_secs(10 * 60),
            pause: Duration::from_secs(3),
            longest_wait: Duration::from_secs(120),
            stall_timeout: Duration::from_secs(60),
            retries: 3,
            clock,
        }
    }
}

/// Asks servers.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    /// For servers on this machine, which no proxy reaches.
    direct: Agent,
    options: Options,
    cache: Option<Cache>,
    /// The last question to each host.
    last: Mutex<HashMap<String, Instant>>,
}

/// Why an attempt failed, and whether another one may do better.
enum Failure {
    /// After this pause, where the server says one.
    Passing(Error, Option<Duration>),
    Lasting(Error),
}

impl Client {
    /// A client that has asked nothing yet.
    pub fn new(options: Options) -> Self {
        let config = || {
            Agent::config_builder()
                .user_agent(user_agent(options.contact.as_deref()))
                .http_status_as_error(false)
                .max_redirects(5)
                .timeout_resolve(Some(Duration::from_secs(10)))
                .timeout_connect(Some(Duration::from_secs(10)))
                .timeout_recv_response(Some(options.stall_timeout))
                .timeout_per_read(Some(options.stall_timeout))
                // Whoever sends a byte a minute would never end.
                .timeout_recv_body(Some(options.stall_timeout * 10))
        };
        let (agent, direct) = (config().build().new_agent(), config().proxy(None).build().new_agent());
        let cache = options.cache.as_deref().map(Cache::new);
        Self { agent, direct, options, cache, last: Mutex::default() }
    }

    /// The answer to `GET url`. An answer that `is_whole` does not take is asked for again.
    ///
    /// # Errors
    ///
    /// [`Error::Network`], after as many attempts as the options say.
    pub fn get(&self, url: &str, is_whole: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>> {
        let kept = self.cache.as_ref().and_then(|cache| cache.read(url));
        let kept = kept.filter(|entry| is_whole(&entry.body));
        if let Some(entry) = kept.as_ref().filter(|entry| entry.is_younger(self.options.fresh_for, (self.options.clock)())) {
            return Ok(entry.body.clone());
        }
        let mut attempt = 0;
        loop {
            // Held while the server is left alone: nobody else asks it then.
            let _turn = self.turn(url)?;
            let is_last = attempt >= self.options.retries;
            let pause = match self.attempt(url, kept.as_ref()) {
                Ok((about, body)) if is_whole(&body) => {
                    if let (Some(cache), Some(about)) = (&self.cache, about) {
                        cache.keep(url, about, &body, (self.options.clock)());
                    }
                    return Ok(body);
                }
                Ok(_) if is_last => return Err(passing(url, "the server gives an empty page where it says that there is more", None)),
                Ok(_) => None,
                Err(Failure::Lasting(error)) => return Err(error),
                Err(Failure::Passing(error, _)) if is_last => return Err(error),
                Err(Failure::Passing(_, Some(asked))) if asked > self.options.longest_wait => {
                    let what = format!("the server asks to be left alone for {} seconds", asked.as_secs());
                    return Err(network(url, what, Some("try again then".to_owned())));
                }
                Err(Failure::Passing(_, pause)) => pause,
            };
            std::thread::sleep(pause.unwrap_or(FIRST_PAUSE.min(self.options.pause) * (1 << attempt.min(6))));
            attempt += 1;
        }
    }

    /// One question. What is said about an answer is nothing where it is not to be kept.
    fn attempt(&self, url: &str, kept: Option<&Entry>) -> Result<(Option<About>, Vec<u8>), Failure> {
        let agent = if is_loopback(url) { &self.direct } else { &self.agent };
        let mut question = agent.get(url);
        if let Some(entry) = kept {
            let told = [(IF_NONE_MATCH, &entry.about.etag), (IF_MODIFIED_SINCE, &entry.about.last_modified)];
            for (name, value) in told {
                if let Some(value) = value {
                    question = question.header(name, value);
                }
            }
        }
        let mut answer = question.call().map_err(|e| failure(url, &e))?;
        match (answer.status().as_u16(), kept) {
            (200, _) => {
                let body = body(url, &mut answer)?;
                let is_private = header(&answer, CACHE_CONTROL).is_some_and(|value| value.contains("no-store"));
                let about = About { etag: header(&answer, ETAG), last_modified: header(&answer, LAST_MODIFIED), ..About::default() };
                Ok(((!is_private).then_some(about), body))
            }
            (304, Some(entry)) => Ok((Some(entry.about.clone()), entry.body.clone())),
            (status @ (429 | 500..=599), _) => {
                let error =
                    passing(url, format!("the server answered {status}"), Some("it may be better later; what was read before stays".to_owned()));
                Err(Failure::Passing(error, self.asked_pause(&answer)))
            }
            (404 | 410, _) => Err(Failure::Lasting(network(url, "the server has nothing under this address", None))),
            (status, _) => {
                let said = body(url, &mut answer).map(|body| told(&body)).unwrap_or_default();
                Err(Failure::Lasting(network(url, format!("the server answered {status}{said}"), None)))
            }
        }
    }

    /// Waits until this host may be asked again. While what is returned lives, no other paperkin asks it: arXiv wants one connection,
    /// and programs that run one after the other are one to it.
    fn turn(&self, url: &str) -> Result<Turn<'_>> {
        let host = url.parse::<Uri>().ok().and_then(|uri| Some(uri.authority()?.as_str().to_ascii_lowercase())).unwrap_or_default();
        let pause = if host.split(':').next().unwrap_or_default().ends_with("arxiv.org") || is_loopback(url) {
            self.options.pause
        } else {
            self.options.pause / 3
        };
        let name: String = host.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' }).collect();
        let file = self.options.cache.as_ref().map(|directory| {
            std::fs::create_dir_all(directory)?;
            let file = File::options().create(true).append(true).open(directory.join(format!("{name}.turn")))?;
            file.lock()?;
            let is_used = file.metadata()?.len() > 0;
            let since = (self.options.clock)().duration_since(file.metadata()?.modified()?).ok();
            Ok::<_, std::io::Error>((file, since.filter(|_| is_used)))
        });
        // Where no file can be kept, there is the memory of this run.
        let (file, since) = file.and_then(Result::ok).map_or((None, None), |(file, since)| (Some(file), since));
        let here = self.last.lock().unwrap_or_else(PoisonError::into_inner).get(&host).map(Instant::elapsed);
        if let Some(left) = [since, here].into_iter().flatten().min().and_then(|since| pause.checked_sub(since)) {
            std::thread::sleep(left);
        }
        Ok(Turn { client: self, host, file })
    }

    /// How long the server wants to be left alone: seconds, or a time.
    fn asked_pause(&self, answer: &Response<Body>) -> Option<Duration> {
        let value = header(answer, RETRY_AFTER)?;
        let until = || {
            let at = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp();
            Some(SystemTime::from(at).duration_since((self.options.clock)()).unwrap_or_default())
        };
        value.trim().parse().ok().map(Duration::from_secs).or_else(until)
    }
}

/// The right to ask a host. When it ends, the pause begins.
struct Turn<'a> {
    client: &'a Client,
    host: String,
    /// Its age is that of the last question, and its lock is the right.
    file: Option<File>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.client.last.lock().unwrap_or_else(PoisonError::into_inner).insert(std::mem::take(&mut self.host), Instant::now());
        if let Some(file) = &self.file {
            let _ =
                std::io::Write::write_all(&mut &*file, b".").and_then(|()| if file.metadata()?.len() > 1 << 12 { file.set_len(1) } else { Ok(()) });
        }
    }
}

fn user_agent(contact: Option<&str>) -> String {
    let name = concat!("paperkin/", env!("CARGO_PKG_VERSION"));
    let is_address = |text: &&str| text.contains('@') && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'(' | b')'));
    contact.filter(is_address).map_or_else(|| name.to_owned(), |contact| format!("{name} (mailto:{contact})"))
}

fn header(answer: &Response<Body>, name: HeaderName) -> Option<String> {
    answer.headers().get(name)?.to_str().ok().map(str::to_owned)
}

fn body(url: &str, answer: &mut Response<Body>) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = answer.body_mut().as_reader().take(MOST_BYTES + 1).read_to_end(&mut bytes);
    match read {
        Ok(_) if bytes.len() as u64 <= MOST_BYTES => Ok(bytes),
        Ok(_) => {
            let hint = "download it with another program, and add the file: of files, only a part is in memory".to_owned();
            Err(Failure::Lasting(network(url, format!("the answer is longer than {} MiB", MOST_BYTES >> 20), Some(hint))))
        }
        Err(e) => Err(Failure::Passing(passing(url, format!("the answer broke off after {} bytes: {e}", bytes.len()), None), None)),
    }
}

/// The beginning of what a server says, on one line.
fn told(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(1 << 12)]);
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let words: String = words.chars().take(TOLD).collect();
    if words.is_empty() || words.starts_with('<') { String::new() } else { format!(": {words}") }
}

fn failure(url: &str, error: &ureq::Error) -> Failure {
    let hint = Some("is there a network? behind a proxy, HTTPS_PROXY names it".to_owned());
    match error {
        ureq::Error::Io(e) if e.to_string().contains("lookup address") => Failure::Lasting(passing(url, "the server's name is not known", hint)),
        ureq::Error::HostNotFound => Failure::Lasting(passing(url, "the server's name is not known", hint)),
        ureq::Error::BadUri(_) | ureq::Error::InvalidProxyUrl | ureq::Error::TooManyRedirects | ureq::Error::RedirectFailed | ureq::Error::Tls(_) => {
            Failure::Lasting(network(url, error.to_string(), None))
        }
        _ => Failure::Passing(passing(url, format!("the server cannot be reached: {error}"), hint), None),
    }
}

pub(super) fn network(url: &str, what: impl Into<String>, hint: Option<String>) -> Error {
    Error::Network { url: url.to_owned(), what: what.into(), may_pass: false, hint }
}

/// One that may be gone some time later.
fn passing(url: &str, what: impl Into<String>, hint: Option<String>) -> Error {
    Error::Network { url: url.to_owned(), what: what.into(), may_pass: true, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_told_unless_it_would_break_the_header() {
        assert!(user_agent(Some("me@example.org")).ends_with(" (mailto:me@example.org)"));
        for contact in [None, Some(""), Some("me"), Some("me@x\r\nX: y"), Some("a@b) (")] {
            assert_eq!(user_agent(contact), concat!("paperkin/", env!("CARGO_PKG_VERSION")));
        }
    }

    #[test]
    fn what_a_server_says_is_told_in_one_line() {
        assert_eq!(told(b"{\"error\":\n \"No\x1b[2J\"}"), ": {\"error\": \"No [2J\"}");
        assert_eq!(told(b"<html>"), "");
        assert_eq!(told(b""), "");
    }
}
