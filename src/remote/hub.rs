//! A model from the hub into the hub's cache on this machine.
//!
//! The hub answers for a file with its commit, its etag and its size, and then with its bytes or with a link to its store.
//! The bytes go to `blobs/ETAG.incomplete`, where a later fetch goes on, and have their name only when they are whole; the
//! branch is written last, so that a model that is named is there.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use sha2::{Digest, Sha256};
use ureq::http::Response;
use ureq::http::header::{ETAG, LOCATION};
use ureq::{Agent, Body};

use super::{create_parent, escaped, inside, is_loopback, is_web_page, length, link, origin, pause, range_start};
use crate::error::{Error, Result};

/// The hub that is asked where none is named.
const ENDPOINT: &str = "https://huggingface.co";
const MODULES: &str = "modules.json";
/// A body that is longer is no file of a model that paperkin can run; without a bound, a bad server could fill the disk.
const MOST_BYTES: u64 = 8 << 30;
const MOST_REDIRECTS: usize = 5;
const GOES_ON: &str = "what is here stays; the same command goes on from there";

/// A hub, and how patiently it is asked.
#[derive(Clone)]
pub struct Hub {
    /// Its address, without a path.
    pub endpoint: String,
    /// The access token; it is sent to the endpoint only, never to the store that the endpoint links to.
    pub token: Option<String>,
    /// How long a name may take to be looked up, and then a connection to be made.
    pub connect_timeout: Duration,
    /// How long the other side may be silent. There is no limit for the whole: a slow line is no fault.
    pub stall_timeout: Duration,
    /// How often a file is tried again after a fault that may pass.
    pub retries: u32,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token is a secret, and what is debugged is logged.
        f.debug_struct("Hub").field("endpoint", &self.endpoint).field("token", &self.token.as_ref().map(|_| "…")).finish_non_exhaustive()
    }
}

/// How far a file is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Its name in the model.
    pub file: &'a str,
    /// Bytes that are here, with those of earlier fetches.
    pub done: u64,
    /// Bytes that it has, where the hub tells.
    pub total: Option<u64>,
}

/// A model that is whole in the cache.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The directory of its files.
    pub directory: PathBuf,
    /// Its commit.
    pub commit: String,
    /// How many files it has.
    pub files: usize,
    /// Bytes that this fetch downloaded; what was here already does not count.
    pub bytes: u64,
}

/// From the content of `modules.json`: the files that a model must have, and those that it may have.
pub type Which<'a> = dyn Fn(&[u8]) -> Result<(Vec<String>, Vec<String>)> + 'a;

/// Hears how far it is, and may end it.
pub type Listener<'a> = dyn FnMut(Progress<'_>) -> ControlFlow<()> + 'a;

impl Hub {
    /// The hub at this address, else the public one.
    pub fn new(endpoint: Option<String>, token: Option<String>) -> Self {
        let endpoint = endpoint.as_deref().map(|e| e.trim().trim_end_matches('/')).filter(|e| !e.is_empty()).unwrap_or(ENDPOINT).to_owned();
        let token = token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        Self { endpoint, token, connect_timeout: Duration::from_secs(10), stall_timeout: Duration::from_secs(30), retries: 2 }
    }

    /// Fetches the files of a model that are not yet in the cache, and names the revision there when all are.
    ///
    /// `which` gets the content of `modules.json`. After `modules.json` everything is asked for by its commit, so that a
    /// branch that moves meanwhile cannot mix two models.
    ///
    /// # Errors
    ///
    /// [`Error::ModelNotFound`] if the hub does not know it, [`Error::Network`] for all that goes wrong on the way, and
    /// [`Error::Interrupted`] if the listener breaks off. What is downloaded by then stays, and the next fetch goes on.
    pub fn fetch(&self, model: &str, revision: &str, cache: &Path, which: &Which<'_>, progress: &mut Listener<'_>) -> Result<Fetched> {
        for name in [model, revision] {
            inside(name)?;
        }
        let repo = Repo::with_revision(model.to_owned(), RepoType::Model, revision.to_owned());
        let cache = Cache::new(cache.to_path_buf()).repo(repo);
        let mut fetch = Fetch { hub: self, agent: self.agent(), model, revision, cache, progress, commit: None, bytes: 0 };
        let commit = fetch.needed(MODULES)?;
        let directory = fetch.cache.pointer_path(&commit);
        let path = directory.join(MODULES);
        let modules = std::fs::read(&path).map_err(|e| Error::io("read", &path, e))?;
        let (needed, optional) = which(&modules)?;
        let mut files = 1;
        for file in needed.iter().filter(|file| *file != MODULES) {
            fetch.needed(file)?;
            files += 1;
        }
        for file in optional.iter().filter(|file| *file != MODULES) {
            files += usize::from(fetch.file(file)?.is_some());
        }
        fetch.name_revision(&commit)?;
        Ok(Fetched { directory, commit, files, bytes: fetch.bytes })
    }

    fn agent(&self) -> Agent {
        let mut config = Agent::config_builder()
            .user_agent(concat!("paperkin/", env!("CARGO_PKG_VERSION")))
            // Compressed bytes have another length, and cannot be resumed.
            .accept_encoding("identity")
            // Redirects are followed by hand: their headers say what the file is, and the token must not follow them.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_resolve(Some(self.connect_timeout))
            .timeout_connect(Some(self.connect_timeout))
            .timeout_recv_response(Some(self.stall_timeout))
            .timeout_per_read(Some(self.stall_timeout));
        if is_loopback(&self.endpoint) {
            // A proxy cannot reach a mirror on this machine.
            config = config.proxy(None);
        }
        config.build().new_agent()
    }
}

/// Why an attempt failed, and whether another one may do better.
enum Failure {
    /// The hub has no such file.
    Missing,
    /// It may pass; after this pause it is tried again.
    Passing(Error, Duration),
    Lasting(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Lasting(error)
    }
}

type Attempt<T> = std::result::Result<T, Failure>;

/// What the hub says about a file.
#[derive(Debug, Default)]
struct Facts {
    commit: Option<String>,
    /// Of the file itself, where the answer is a link to the store.
    linked_etag: Option<String>,
    etag: Option<String>,
    size: Option<u64>,
}

impl Facts {
    /// A renamed model is answered by several redirects, of which the later ones know more.
    fn add<T>(&mut self, response: &Response<T>) {
        let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        self.commit = text("x-repo-commit").or(self.commit.take());
        self.linked_etag = text("x-linked-etag").or(self.linked_etag.take());
        self.etag = text(ETAG.as_str()).or(self.etag.take());
        self.size = text("x-linked-size").and_then(|size| size.parse().ok()).or(self.size);
    }
}

/// A file that the hub has.
struct Found {
    commit: String,
    etag: String,
    size: Option<u64>,
    /// Where its bytes are.
    url: String,
    /// True at the hub itself, which may see the token.
    trusted: bool,
    /// The answer that holds the bytes, where the hub sent them at once.
    answer: Option<Response<Body>>,
}

/// One fetch of one model.
struct Fetch<'a, 'p> {
    hub: &'a Hub,
    agent: Agent,
    model: &'a str,
    revision: &'a str,
    cache: CacheRepo,
    progress: &'a mut Listener<'p>,
    /// Of `modules.json`, as soon as it is known.
    commit: Option<String>,
    bytes: u64,
}

impl Fetch<'_, '_> {
    /// Gets a file that the model must have; returns its commit.
    fn needed(&mut self, file: &str) -> Result<String> {
        self.file(file)?.ok_or_else(|| self.network(file, format!("the hub has no {file} for {}", self.model), None))
    }

    /// Gets a file, as often as the hub's patience says; returns its commit, or `None` if the hub has no such file.
    fn file(&mut self, file: &str) -> Result<Option<String>> {
        inside(file)?;
        let mut attempt = 0;
        loop {
            match self.attempt(file) {
                Ok(commit) => return Ok(Some(commit)),
                Err(Failure::Missing) => return Ok(None),
                Err(Failure::Passing(_, pause)) if attempt < self.hub.retries => {
                    std::thread::sleep(pause * (attempt + 1));
                    attempt += 1;
                }
                Err(Failure::Passing(error, _) | Failure::Lasting(error)) => return Err(error),
            }
        }
    }

    fn attempt(&mut self, file: &str) -> Attempt<String> {
        let mut found = self.locate(file)?;
        let blob = self.cache.blob_path(&found.etag);
        match std::fs::metadata(&blob) {
            Ok(there) => self.tell(file, there.len(), Some(there.len()))?,
            Err(_) => self.fill(file, &mut found, &blob)?,
        }
        self.point(file, &found)?;
        self.commit = Some(found.commit.clone());
        Ok(found.commit)
    }

    // ---------------------------------------------------------------- what the hub says

    /// Asks the hub for a file, up to the answer that holds its bytes or the link to where they are.
    fn locate(&self, file: &str) -> Attempt<Found> {
        let mut url = self.url(file);
        let mut facts = Facts::default();
        for _ in 0..=MOST_REDIRECTS {
            let answer = self.get(file, &url, true, 0)?;
            facts.add(&answer);
            if !answer.status().is_redirection() {
                if answer.status().as_u16() != 200 {
                    return Err(self.refused(file, &answer));
                }
                facts.size = facts.size.or_else(|| length(&answer));
                return Ok(self.found(file, facts, url, true, Some(answer))?);
            }
            let next = self.target(file, &url, &answer)?;
            if origin(&next) != origin(&self.hub.endpoint) {
                return Ok(self.found(file, facts, next, false, Some(answer))?);
            }
            url = next;
        }
        Err(self.network(file, format!("the hub redirects more than {MOST_REDIRECTS} times"), None).into())
    }

    /// Checks what the hub said: its words become names of files.
    fn found(&self, file: &str, facts: Facts, url: String, trusted: bool, answer: Option<Response<Body>>) -> Result<Found> {
        let portal = |what: &str| self.network(file, format!("this is not the hub: {what}"), None);
        let Some(commit) = facts.commit else {
            return Err(match answer.as_ref().is_some_and(is_web_page) {
                true => portal("it answered with a web page"),
                false if trusted => portal("its answer names no commit"),
                false => portal(&format!("it sends to {}", origin(&url).unwrap_or_default())),
            });
        };
        if commit.len() != 40 || !commit.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(portal(&format!("expected a commit, got {commit:?}")));
        }
        let raw = facts.linked_etag.or(facts.etag).unwrap_or_default();
        let etag = raw.trim().trim_start_matches("W/").trim_matches('"').to_owned();
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if !(1..=128).contains(&etag.len()) || !etag.bytes().all(is_plain) || matches!(etag.as_str(), "." | "..") {
            return Err(portal(&format!("expected an etag of {file}, got {raw:?}")));
        }
        if self.commit.as_ref().is_some_and(|first| *first != commit) {
            let hint = Some("the same command starts over; what is here stays".to_owned());
            return Err(self.network(file, format!("{} changed on the hub while it was fetched", self.model), hint));
        }
        self.bounded(file, facts.size.unwrap_or(0))?;
        let answer = answer.filter(|_| trusted);
        Ok(Found { commit, etag, size: facts.size, url, trusted, answer })
    }

    /// The error that an answer of the hub's own stands for.
    fn refused(&self, file: &str, answer: &Response<Body>) -> Failure {
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let status = answer.status().as_u16();
        match (header("x-error-code").unwrap_or_default(), status) {
            // Without a token a gated model is 401 too, as one that does not exist.
            ("GatedRepo", _) | (_, 403) => {
                let hint = Some("accept its terms on the hub, and give a token in HF_TOKEN".to_owned());
                self.network(file, format!("the hub gives no access to {}", self.model), hint).into()
            }
            ("RepoNotFound", _) | (_, 401) => self.unknown(match &self.hub.token {
                Some(_) => "as the hub does not know it, or the token does not open it".to_owned(),
                None => "as the hub does not know it, or it is private".to_owned(),
            }),
            ("RevisionNotFound", _) => self.unknown(format!("as the hub has no revision {} of it", self.revision)),
            (_, 404) => Failure::Missing,
            (_, 429 | 500..=599) => {
                let error = self.network(file, format!("the hub answered {status}"), Some(GOES_ON.to_owned()));
                Failure::Passing(error, pause(answer))
            }
            _ => self.network(file, format!("the hub answered {status}"), None).into(),
        }
    }

    fn unknown(&self, why: String) -> Failure {
        Failure::Lasting(Error::ModelNotFound { model: self.model.to_owned(), looked: vec![self.hub.endpoint.clone()], why })
    }

    // ---------------------------------------------------------------- the bytes

    /// Downloads what of a blob is not here, checks it and gives it its name.
    fn fill(&mut self, file: &str, found: &mut Found, blob: &Path) -> Attempt<()> {
        // Adding to the whole name: an etag may have a dot.
        let path = PathBuf::from(format!("{}.incomplete", blob.display()));
        create_parent(&path)?;
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut target = opened.map_err(|e| Error::io("write", &path, e))?;
        // Where locks do not work, as on some network disks, it goes on without one.
        if let Err(TryLockError::WouldBlock) = target.try_lock() {
            return Err(self.network(file, format!("another process is fetching {file} of {}", self.model), None).into());
        }
        if blob.exists() {
            // That other process has finished between the two looks; what is open here is its file, or a new empty one.
            let _ = std::fs::remove_file(&path);
            return Ok(());
        }
        self.download(file, found, &mut target, &path)?;
        self.check(file, found, &mut target, &path)?;
        Ok(std::fs::rename(&path, blob).map_err(|e| Error::io("rename", &path, e))?)
    }

    fn download(&mut self, file: &str, found: &mut Found, target: &mut File, path: &Path) -> Attempt<()> {
        let io = |e| Error::io("write", path, e);
        let mut have = target.metadata().map_err(io)?.len();
        if found.size.is_some_and(|size| have > size) {
            have = 0;
        }
        if have > 0 && found.size == Some(have) {
            return Ok(());
        }
        let (answer, start) = self.body(file, found, have)?;
        target.set_len(start).map_err(io)?;
        target.seek(SeekFrom::Start(start)).map_err(io)?;
        let announced = length(&answer).map(|length| length.saturating_add(start));
        if let (Some(size), Some(announced)) = (found.size, announced)
            && size != announced
        {
            // Before a byte of an error page gets among those of the file.
            return Err(self.network(file, format!("expected {size} bytes of {file}, got an answer of {announced}"), None).into());
        }
        found.size = found.size.or(announced);
        self.bounded(file, found.size.unwrap_or(0))?;
        self.copy(file, answer, start, found.size, target, path)
    }

    /// The answer with the bytes from `have` on, and where its first byte belongs: a server may ignore the wish.
    fn body(&self, file: &str, found: &mut Found, have: u64) -> Attempt<(Response<Body>, u64)> {
        if let Some(answer) = found.answer.take().filter(|_| have == 0) {
            return Ok((answer, 0));
        }
        let answer = self.get_through(file, found, have)?;
        match answer.status().as_u16() {
            200 => Ok((answer, 0)),
            206 if have > 0 && range_start(&answer) == Some(have) => Ok((answer, have)),
            206 | 416 if have > 0 => self.body(file, found, 0),
            status if found.trusted && status != 206 => Err(self.refused(file, &answer)),
            status => {
                let error = self.network(file, format!("the hub's store answered {status}"), Some(GOES_ON.to_owned()));
                // A link that has expired is 403; the next attempt asks the hub for a new one.
                let may_pass = matches!(status, 403 | 429 | 500..=599);
                Err(if may_pass { Failure::Passing(error, pause(&answer)) } else { Failure::Lasting(error) })
            }
        }
    }

    /// Asks where the bytes are, through redirects; the token stays at the hub.
    fn get_through(&self, file: &str, found: &Found, have: u64) -> Attempt<Response<Body>> {
        let (mut url, mut trusted) = (found.url.clone(), found.trusted);
        for _ in 0..=MOST_REDIRECTS {
            let answer = self.get(file, &url, trusted, have)?;
            if !answer.status().is_redirection() {
                return Ok(answer);
            }
            let next = self.target(file, &url, &answer)?;
            trusted &= origin(&next) == origin(&url);
            url = next;
        }
        Err(self.network(file, format!("the hub's store redirects more than {MOST_REDIRECTS} times"), None).into())
    }

    fn copy(&mut self, file: &str, answer: Response<Body>, start: u64, total: Option<u64>, target: &mut File, path: &Path) -> Attempt<()> {
        let mut reader = answer.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        let mut have = start;
        self.tell(file, have, total)?;
        loop {
            let n = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(self.broken(file, ureq::Error::from(e), have, total)),
            };
            have += n as u64;
            if have > total.unwrap_or(MOST_BYTES) {
                return Err(self.discard(file, path, &format!("it goes on after {} bytes", total.unwrap_or(MOST_BYTES))).into());
            }
            target.write_all(&buffer[..n]).map_err(|e| Error::io("write", path, e))?;
            self.bytes += n as u64;
            self.tell(file, have, total)?;
        }
        match total {
            Some(total) if have < total => Err(self.cut(file, have, Some(total))),
            _ => Ok(()),
        }
    }

    /// Size and content, as far as the hub names them: the etag of large files is their SHA-256.
    fn check(&self, file: &str, found: &Found, target: &mut File, path: &Path) -> Result<()> {
        let io = |e| Error::io("read", path, e);
        let size = target.metadata().map_err(io)?.len();
        if let Some(expected) = found.size.filter(|expected| *expected != size) {
            return Err(self.discard(file, path, &format!("expected {expected} bytes, got {size}")));
        }
        if found.etag.len() == 64 && found.etag.bytes().all(|b| b.is_ascii_hexdigit()) {
            target.seek(SeekFrom::Start(0)).map_err(io)?;
            let mut hasher = Sha256::new();
            std::io::copy(target, &mut hasher).map_err(io)?;
            let got = format!("{:x}", hasher.finalize());
            if !got.eq_ignore_ascii_case(&found.etag) {
                return Err(self.discard(file, path, &format!("expected the sha256 {}, got {got}", found.etag)));
            }
        }
        self.bounded(file, size)?;
        target.sync_all().map_err(|e| Error::io("write", path, e))
    }

    // ---------------------------------------------------------------- the cache

    /// Puts the file into the snapshot of its commit.
    fn point(&self, file: &str, found: &Found) -> Result<()> {
        let pointer = self.cache.pointer_path(&found.commit).join(file);
        create_parent(&pointer)?;
        let up = "../".repeat(2 + file.matches('/').count());
        link(&pointer, Path::new(&format!("{up}blobs/{}", found.etag)), &self.cache.blob_path(&found.etag))
    }

    /// Says in the cache which commit the revision is.
    fn name_revision(&self, commit: &str) -> Result<()> {
        if self.revision == commit {
            // A commit is its own name.
            return Ok(());
        }
        let snapshot = self.cache.pointer_path(commit);
        let directory = snapshot.parent().and_then(Path::parent).unwrap_or(&snapshot);
        let path = directory.join("refs").join(self.revision);
        create_parent(&path)?;
        // Not in `refs`, where every file is a name.
        let draft = directory.join(format!("refs.{}.incomplete", std::process::id()));
        std::fs::write(&draft, commit).map_err(|e| Error::io("write", &draft, e))?;
        std::fs::rename(&draft, &path).map_err(|e| Error::io("write", &path, e))
    }

    // ---------------------------------------------------------------- requests and their errors

    fn url(&self, file: &str) -> String {
        let revision = self.commit.as_deref().unwrap_or(self.revision);
        let revision = escaped(revision).replace('/', "%2F");
        format!("{}/{}/resolve/{revision}/{}", self.hub.endpoint, escaped(self.model), escaped(file))
    }

    fn get(&self, file: &str, url: &str, trusted: bool, from: u64) -> Attempt<Response<Body>> {
        let mut request = self.agent.get(url);
        if let (true, Some(token)) = (trusted, &self.hub.token) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if from > 0 {
            request = request.header("range", format!("bytes={from}-"));
        }
        request.call().map_err(|e| self.unreachable(file, e))
    }

    /// Where a redirect leads.
    fn target(&self, file: &str, url: &str, answer: &Response<Body>) -> Result<String> {
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let here = origin(url).unwrap_or_default();
        let next = match location {
            "" => return Err(self.network(file, "the hub redirects to nowhere".to_owned(), None)),
            absolute if absolute.contains("://") => absolute.to_owned(),
            host if host.starts_with("//") => format!("{}:{host}", here.split(':').next().unwrap_or("https")),
            path if path.starts_with('/') => format!("{here}{path}"),
            name => format!("{}/{name}", url.rsplit_once('/').map_or(url, |(directory, _)| directory)),
        };
        if here.starts_with("https:") && !next.to_ascii_lowercase().starts_with("https:") {
            return Err(self.network(file, "the hub redirects to an address without encryption".to_owned(), None));
        }
        Ok(next)
    }

    /// No answer came.
    fn unreachable(&self, file: &str, error: ureq::Error) -> Failure {
        use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut, UnexpectedEof};
        let failed = |why: String| self.network(file, format!("cannot reach the hub ({why})"), Some(GOES_ON.to_owned()));
        let seconds = |time: Duration| format!("no answer within {} s", time.as_secs_f64());
        match error {
            ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => failed(seconds(self.hub.connect_timeout)).into(),
            ureq::Error::Timeout(_) => Failure::Passing(failed(seconds(self.hub.stall_timeout)), Duration::ZERO),
            ureq::Error::HostNotFound => failed("its name has no address".to_owned()).into(),
            ureq::Error::Io(e) if e.kind() == ConnectionRefused => failed("connection refused".to_owned()).into(),
            ureq::Error::Io(e) if matches!(e.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut | UnexpectedEof) => {
                Failure::Passing(failed("it closed the connection without an answer".to_owned()), Duration::ZERO)
            }
            ureq::Error::Io(e) => failed(e.to_string()).into(),
            other => failed(other.to_string()).into(),
        }
    }

    /// The bytes ended before their end.
    fn broken(&self, file: &str, error: ureq::Error, have: u64, total: Option<u64>) -> Failure {
        match error {
            ureq::Error::Timeout(_) => {
                let seconds = self.hub.stall_timeout.as_secs_f64();
                let what = format!("the transfer stalled: no byte within {seconds} s, {} here", amount(have, total));
                Failure::Passing(self.network(file, what, Some(GOES_ON.to_owned())), Duration::ZERO)
            }
            _ => self.cut(file, have, total),
        }
    }

    fn cut(&self, file: &str, have: u64, total: Option<u64>) -> Failure {
        let what = format!("the transfer was cut: {} here", amount(have, total));
        Failure::Passing(self.network(file, what, Some(GOES_ON.to_owned())), Duration::ZERO)
    }

    fn bounded(&self, file: &str, size: u64) -> Result<()> {
        let too_long = || self.network(file, format!("{file} has {size} bytes; more than {MOST_BYTES} are not fetched"), None);
        if size > MOST_BYTES { Err(too_long()) } else { Ok(()) }
    }

    /// What is downloaded is wrong, and must not be gone on from.
    fn discard(&self, file: &str, path: &Path, what: &str) -> Error {
        match std::fs::remove_file(path) {
            Ok(()) => self.network(file, format!("{file} is not what the hub names: {what}"), None),
            Err(e) => Error::io("remove", path, e),
        }
    }

    /// The address is always the hub's own: a link into the store holds a signature, which opens it.
    fn network(&self, file: &str, what: String, hint: Option<String>) -> Error {
        Error::Network { url: self.url(file), what, may_pass: false, hint }
    }

    fn tell(&mut self, file: &str, done: u64, total: Option<u64>) -> Result<()> {
        match (self.progress)(Progress { file, done, total }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Interrupted),
        }
    }
}

fn amount(have: u64, total: Option<u64>) -> String {
    total.map_or_else(|| format!("{have} bytes"), |total| format!("{have} of {total} bytes"))
}
