//! A model from a hub: real HTTP against two small servers on this machine, one for the hub and one for its store.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use paperkin::embed::{HubCache, model_files, resolve};
use paperkin::remote::hub::{Fetched, Hub, Progress};
use paperkin::{Error, Result};
use sha2::{Digest, Sha256};

use crate::server::{Answer, Manner, Request, Server};

const MODEL: &str = "org/tiny";
const RENAMED: &str = "org/old";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const WEIGHTS: &str = "model.safetensors";
const TOKEN: &str = "hf_secret";

// -------------------------------------------------------------------- a hub

/// What goes wrong.
#[derive(Debug, Default)]
struct Faults {
    /// How the store sends the next transfers; after these, whole.
    store: Mutex<Vec<Manner>>,
    /// The hub is busy for this many answers.
    busy: Mutex<u32>,
    /// The store sends other bytes than the hub names.
    wrong_bytes: bool,
    /// The store sends a whole file whatever part is asked for.
    ignores_range: bool,
    /// Everything is answered with a web page.
    portal: bool,
    gated: bool,
    /// The etag of every file, if not its own.
    etag: Option<&'static str>,
    /// The branch moves after the first file.
    moves: bool,
}

struct FakeHub {
    hub: Server,
    store: Server,
}

impl FakeHub {
    fn start(faults: Faults) -> Self {
        let faults = Arc::new(faults);
        let store = Server::start({
            let faults = Arc::clone(&faults);
            move |request| store_answer(&faults, request)
        });
        let store_address = store.address;
        let hub = Server::start(move |request| hub_answer(&faults, store_address, request));
        Self { hub, store }
    }

    fn client(&self) -> Hub {
        Hub::new(Some(format!("http://{}/", self.hub.address)), Some(TOKEN.to_owned()))
    }

    fn ranges_of_store(&self) -> Vec<Option<usize>> {
        self.store.asked().iter().map(Request::from).collect()
    }
}

fn hub_answer(faults: &Faults, store: SocketAddr, request: &Request) -> Answer {
    if faults.portal {
        return Answer::new(200, vec![("Content-Type", "text/html; charset=utf-8".to_owned())], b"<html>Welcome to our hotel</html>");
    }
    let mut busy = faults.busy.lock().unwrap();
    if *busy > 0 {
        *busy -= 1;
        return Answer::new(503, vec![("Retry-After", "0".to_owned())], b"");
    }
    let error = |status, code: &str| Answer::new(status, vec![("X-Error-Code", code.to_owned())], b"");
    if faults.gated {
        return error(401, "GatedRepo");
    }
    if let Some(rest) = request.path.strip_prefix(&format!("/{RENAMED}/")) {
        return Answer::new(307, vec![("Location", format!("/{MODEL}/{rest}"))], b"moved");
    }
    let Some((revision, file)) = request.path.strip_prefix(&format!("/{MODEL}/resolve/")).and_then(|path| path.split_once('/')) else {
        return error(404, "RepoNotFound");
    };
    if !["main", "refs%2Fpr%2F1", COMMIT].contains(&revision) {
        return error(404, "RevisionNotFound");
    }
    let Ok(body) = std::fs::read(fixture().join(file)) else { return error(404, "EntryNotFound") };
    let commit = if faults.moves && file != "modules.json" { COMMIT.replace('0', "f") } else { COMMIT.to_owned() };
    let etag = faults.etag.map_or_else(|| etag(file), str::to_owned);
    let headers = vec![("X-Repo-Commit", commit), ("ETag", format!("\"{etag}\""))];
    if file != WEIGHTS {
        return Answer::file(request, headers, &body);
    }
    let link = format!("http://{store}/{file}?signature=abc");
    let linked = [("Location", link), ("X-Linked-Etag", format!("\"{etag}\"")), ("X-Linked-Size", body.len().to_string())];
    Answer::new(302, headers.into_iter().chain(linked).collect(), b"found")
}

fn store_answer(faults: &Faults, request: &Request) -> Answer {
    let file = request.path.trim_start_matches('/').split('?').next().unwrap();
    let mut body = std::fs::read(fixture().join(file)).unwrap();
    if faults.wrong_bytes {
        body[0] ^= 1;
    }
    // The store's own etag is not the file's.
    let headers = vec![("ETag", "\"of-the-store\"".to_owned())];
    let mut answer = if faults.ignores_range { Answer::new(200, headers, &body) } else { Answer::file(request, headers, &body) };
    let mut manners = faults.store.lock().unwrap();
    if !manners.is_empty() {
        answer.manner = manners.remove(0);
    }
    answer
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-bert")
}

/// As the hub does it: the SHA-256 of large files, a hash of 40 digits for the others.
fn etag(file: &str) -> String {
    let hash = format!("{:x}", Sha256::digest(std::fs::read(fixture().join(file)).unwrap()));
    if file == WEIGHTS { hash } else { hash[..40].to_owned() }
}

/// The files of the fixture that belong to the model, with their lengths.
fn files() -> BTreeMap<String, u64> {
    let modules = std::fs::read(fixture().join("modules.json")).unwrap();
    let (needed, optional) = model_files(MODEL, &modules).unwrap();
    let length = |file: &String| std::fs::metadata(fixture().join(file)).ok().map(|m| m.len());
    needed.into_iter().chain(optional).filter_map(|file| length(&file).map(|length| (file, length))).collect()
}

fn fetch_as(hub: &Hub, model: &str, revision: &str, cache: &Path) -> Result<Fetched> {
    hub.fetch(model, revision, cache, &|modules| model_files(model, modules), &mut |_| ControlFlow::Continue(()))
}

fn fetch(hub: &Hub, cache: &Path) -> Result<Fetched> {
    fetch_as(hub, MODEL, "main", cache)
}

fn in_cache(cache: &Path, path: &str) -> PathBuf {
    cache.join("models--org--tiny").join(path)
}

fn incomplete(cache: &Path) -> PathBuf {
    in_cache(cache, &format!("blobs/{}.incomplete", etag(WEIGHTS)))
}

fn assert_is_whole(fetched: &Fetched) {
    assert_eq!(fetched.commit, COMMIT);
    assert_eq!(fetched.files, files().len());
    for file in files().keys() {
        let (got, expected) = (std::fs::read(fetched.directory.join(file)).unwrap(), std::fs::read(fixture().join(file)).unwrap());
        assert!(got == expected, "{file} has other bytes than the hub's");
    }
}

/// The message and the hint of what the network did.
#[track_caller]
fn network_error(result: Result<Fetched>) -> (String, String) {
    match result {
        Err(error @ Error::Network { .. }) => (error.to_string(), error.hint().unwrap_or_default()),
        other => panic!("expected an error of the network, got {other:?}"),
    }
}

// -------------------------------------------------------------------- the whole way

#[test]
fn a_model_is_fetched_once() {
    let (fake, cache) = (FakeHub::start(Faults::default()), tempfile::tempdir().unwrap());
    let first = fetch(&fake.client(), cache.path()).unwrap();
    assert_is_whole(&first);
    assert_eq!(first.bytes, files().values().sum::<u64>());
    assert_eq!(std::fs::read_to_string(in_cache(cache.path(), "refs/main")).unwrap(), COMMIT);

    let second = fetch(&fake.client(), cache.path()).unwrap();
    assert_is_whole(&second);
    assert_eq!((second.bytes, second.directory), (0, first.directory));
    assert_eq!(fake.ranges_of_store(), [None], "the weights are asked for once");
}

#[test]
fn a_fetched_model_opens() {
    let (fake, cache) = (FakeHub::start(Faults::default()), tempfile::tempdir().unwrap());
    let hub_cache = HubCache::new(cache.path().to_path_buf());
    assert!(matches!(resolve(MODEL, Some(&hub_cache)), Err(Error::ModelNotFound { .. })));
    let fetched = fetch(&fake.client(), cache.path()).unwrap();
    let model = resolve(MODEL, Some(&hub_cache)).unwrap();
    assert_eq!(model.directory(), Some(fetched.directory.as_path()));
}

#[test]
fn a_token_is_for_the_hub_only() {
    let (fake, cache) = (FakeHub::start(Faults::default()), tempfile::tempdir().unwrap());
    fetch(&fake.client(), cache.path()).unwrap();
    let sent = format!("Bearer {TOKEN}");
    assert!(fake.hub.asked().iter().all(|request| request.header("authorization") == Some(&sent)));
    assert!(fake.store.asked().iter().all(|request| request.header("authorization").is_none()));
    assert_eq!(fake.store.asked().len(), 1);
}

#[test]
fn a_renamed_model_is_followed() {
    let (fake, cache) = (FakeHub::start(Faults::default()), tempfile::tempdir().unwrap());
    let fetched = fetch_as(&fake.client(), RENAMED, "main", cache.path()).unwrap();
    assert_is_whole(&fetched);
    assert!(fetched.directory.starts_with(cache.path().join("models--org--old")), "the cache has the name that was asked for");
}

#[test]
fn a_revision_may_have_a_slash_or_be_a_commit() {
    let (fake, cache) = (FakeHub::start(Faults::default()), tempfile::tempdir().unwrap());
    assert_is_whole(&fetch_as(&fake.client(), MODEL, "refs/pr/1", cache.path()).unwrap());
    assert_eq!(std::fs::read_to_string(in_cache(cache.path(), "refs/refs/pr/1")).unwrap(), COMMIT);
    assert_is_whole(&fetch_as(&fake.client(), MODEL, COMMIT, cache.path()).unwrap());
    assert!(!in_cache(cache.path(), &format!("refs/{COMMIT}")).exists());
}

#[test]
fn progress_grows_to_the_total() {
    let (fake, cache) = (FakeHub::start(Faults::default()), tempfile::tempdir().unwrap());
    let mut seen: BTreeMap<String, Vec<(u64, Option<u64>)>> = BTreeMap::new();
    let mut listen = |progress: Progress<'_>| {
        seen.entry(progress.file.to_owned()).or_default().push((progress.done, progress.total));
        ControlFlow::Continue(())
    };
    fake.client().fetch(MODEL, "main", cache.path(), &|modules| model_files(MODEL, modules), &mut listen).unwrap();
    assert_eq!(seen.keys().collect::<Vec<_>>(), files().keys().collect::<Vec<_>>());
    for (file, steps) in seen {
        assert!(steps.is_sorted(), "{file}: {steps:?}");
        assert_eq!(steps.last(), Some(&(files()[&file], Some(files()[&file]))), "{file}");
    }
}

// -------------------------------------------------------------------- going on

#[test]
fn a_cut_transfer_is_gone_on_with() {
    let faults = Faults { store: Mutex::new(vec![Manner::Cut]), ..Faults::default() };
    let (fake, cache) = (FakeHub::start(faults), tempfile::tempdir().unwrap());
    let fetched = fetch(&fake.client(), cache.path()).unwrap();
    assert_is_whole(&fetched);
    let half = files()[WEIGHTS] as usize / 2;
    assert_eq!(fake.ranges_of_store(), [None, Some(half)]);
    assert_eq!(fetched.bytes, files().values().sum::<u64>(), "no byte comes twice");
}

#[test]
fn a_stalled_transfer_ends_and_a_later_fetch_goes_on() {
    let faults = Faults { store: Mutex::new(vec![Manner::Stall]), ..Faults::default() };
    let (fake, cache) = (FakeHub::start(faults), tempfile::tempdir().unwrap());
    let hub = Hub { stall_timeout: Duration::from_secs(1), retries: 0, ..fake.client() };
    let (total, half) = (files()[WEIGHTS], files()[WEIGHTS] / 2);

    let (message, hint) = network_error(fetch(&hub, cache.path()));
    assert!(message.contains(&format!("the transfer stalled: no byte within 1 s, {half} of {total} bytes here")), "{message}");
    assert!(hint.contains("goes on from there"), "{hint}");
    assert_eq!(std::fs::metadata(incomplete(cache.path())).unwrap().len(), half);
    assert!(!in_cache(cache.path(), "refs").exists(), "a model that is not whole has no name");

    assert_is_whole(&fetch(&hub, cache.path()).unwrap());
    assert_eq!(fake.ranges_of_store(), [None, Some(half as usize)]);
    assert!(!incomplete(cache.path()).exists());
}

#[test]
fn a_server_without_ranges_starts_anew() {
    let faults = Faults { store: Mutex::new(vec![Manner::Cut]), ignores_range: true, ..Faults::default() };
    let (fake, cache) = (FakeHub::start(faults), tempfile::tempdir().unwrap());
    assert_is_whole(&fetch(&fake.client(), cache.path()).unwrap());
    assert_eq!(fake.store.asked().len(), 2);
}

#[test]
fn a_file_of_the_hub_itself_is_gone_on_with() {
    let (fake, cache) = (FakeHub::start(Faults::default()), tempfile::tempdir().unwrap());
    let config = std::fs::read(fixture().join("config.json")).unwrap();
    std::fs::create_dir_all(in_cache(cache.path(), "blobs")).unwrap();
    std::fs::write(in_cache(cache.path(), &format!("blobs/{}.incomplete", etag("config.json"))), &config[..10]).unwrap();
    assert_is_whole(&fetch(&fake.client(), cache.path()).unwrap());
    assert!(fake.hub.asked().iter().any(|request| request.path.ends_with("/config.json") && request.from() == Some(10)));
}

#[test]
fn breaking_off_keeps_what_is_here() {
    let (fake, cache) = (FakeHub::start(Faults::default()), tempfile::tempdir().unwrap());
    let mut listen = |progress: Progress<'_>| {
        let is_amid = progress.file == WEIGHTS && progress.done > 0;
        if is_amid { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let broken = fake.client().fetch(MODEL, "main", cache.path(), &|modules| model_files(MODEL, modules), &mut listen);
    assert!(matches!(broken, Err(Error::Interrupted)), "{broken:?}");
    assert!(std::fs::metadata(incomplete(cache.path())).unwrap().len() > 0);
    assert_is_whole(&fetch(&fake.client(), cache.path()).unwrap());
}

#[test]
fn a_busy_hub_is_asked_again() {
    let faults = Faults { busy: Mutex::new(1), ..Faults::default() };
    let (fake, cache) = (FakeHub::start(faults), tempfile::tempdir().unwrap());
    assert_is_whole(&fetch(&fake.client(), cache.path()).unwrap());

    let faults = Faults { busy: Mutex::new(9), ..Faults::default() };
    let (fake, cache) = (FakeHub::start(faults), tempfile::tempdir().unwrap());
    let (message, _) = network_error(fetch(&fake.client(), cache.path()));
    assert!(message.contains("the hub answered 503"), "{message}");
    assert_eq!(fake.hub.asked().len(), 3, "once, and two more times");
}

// -------------------------------------------------------------------- what cannot be

#[test]
fn an_unknown_model_is_said_to_be_unknown() {
    let (fake, cache) = (FakeHub::start(Faults::default()), tempfile::tempdir().unwrap());
    let hub = Hub { token: None, ..fake.client() };
    for (model, revision, expected) in [("org/none", "main", "the hub does not know it"), (MODEL, "v9", "the hub has no revision v9 of it")] {
        match fetch_as(&hub, model, revision, cache.path()) {
            Err(Error::ModelNotFound { model: named, looked, why }) => {
                assert_eq!((named.as_str(), looked), (model, vec![hub.endpoint.clone()]));
                assert!(why.contains(expected), "{why}");
            }
            other => panic!("expected that {model} is not found, got {other:?}"),
        }
    }
    assert_eq!(fake.hub.asked().len(), 2, "what lasts is not tried again");
}

#[test]
fn a_gated_model_needs_a_token() {
    let faults = Faults { gated: true, ..Faults::default() };
    let (fake, cache) = (FakeHub::start(faults), tempfile::tempdir().unwrap());
    let (_, hint) = network_error(fetch(&fake.client(), cache.path()));
    assert!(hint.contains("HF_TOKEN"), "{hint}");
}

#[test]
fn a_model_without_its_files_is_named() {
    let (fake, cache) = (FakeHub::start(Faults::default()), tempfile::tempdir().unwrap());
    let which = |_: &[u8]| Ok((vec!["modules.json".to_owned(), "none.json".to_owned()], Vec::new()));
    let missing = fake.client().fetch(MODEL, "main", cache.path(), &which, &mut |_| ControlFlow::Continue(()));
    let (message, _) = network_error(missing);
    assert!(message.contains("the hub has no none.json for org/tiny"), "{message}");
    assert!(!in_cache(cache.path(), "refs").exists());
}

#[test]
fn a_dead_address_is_not_tried_again() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let (message, _) = network_error(fetch(&Hub::new(Some(format!("http://{address}")), None), cache.path()));
    assert!(message.contains("cannot reach the hub (connection refused)"), "{message}");
    assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 0);
}

#[test]
fn wrong_bytes_leave_no_blob() {
    let faults = Faults { wrong_bytes: true, ..Faults::default() };
    let (fake, cache) = (FakeHub::start(faults), tempfile::tempdir().unwrap());
    let (message, _) = network_error(fetch(&fake.client(), cache.path()));
    assert!(message.contains("expected the sha256"), "{message}");
    assert!(!message.contains("signature"), "{message}");
    assert!(!in_cache(cache.path(), &format!("blobs/{}", etag(WEIGHTS))).exists());
    assert!(!incomplete(cache.path()).exists());
    assert!(!in_cache(cache.path(), "refs").exists());
}

#[test]
fn a_captive_portal_is_not_the_hub() {
    let faults = Faults { portal: true, ..Faults::default() };
    let (fake, cache) = (FakeHub::start(faults), tempfile::tempdir().unwrap());
    let (message, _) = network_error(fetch(&fake.client(), cache.path()));
    assert!(message.contains("this is not the hub: it answered with a web page"), "{message}");
    assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 0);
}

#[test]
fn a_server_cannot_choose_a_path() {
    for etag in ["..", "../../x", "", "a/b"] {
        let faults = Faults { etag: Some(etag), ..Faults::default() };
        let (fake, cache) = (FakeHub::start(faults), tempfile::tempdir().unwrap());
        let (message, _) = network_error(fetch(&fake.client(), cache.path()));
        assert!(message.contains("expected an etag"), "{message}");
        assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 0);
    }
    let (fake, cache) = (FakeHub::start(Faults::default()), tempfile::tempdir().unwrap());
    let which = |_: &[u8]| Ok((vec!["../../../x".to_owned()], Vec::new()));
    let outside = fake.client().fetch(MODEL, "main", cache.path(), &which, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(outside, Err(Error::Usage { .. })), "{outside:?}");
}

#[test]
fn two_commits_are_not_mixed() {
    let faults = Faults { moves: true, ..Faults::default() };
    let (fake, cache) = (FakeHub::start(faults), tempfile::tempdir().unwrap());
    let (message, _) = network_error(fetch(&fake.client(), cache.path()));
    assert!(message.contains("changed on the hub while it was fetched"), "{message}");
    assert!(!in_cache(cache.path(), "refs").exists());
}
