//! What was typed, set and configured, resolved once: flag, else environment, else paperkin.toml, else default.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use paperkin::deliver::Mail;
use paperkin::embed::{BUILT_IN, Compute, HubCache, Model, is_hub_id, resolve};
use paperkin::ingest::LazyEmbedder;
use paperkin::library::Library;
use paperkin::paper::{Date, parse_date, utc};
use paperkin::{Error, Result};
use serde::Deserialize;

use crate::args::Global;

// Without the network, nobody asks for what servers are told.
#[cfg_attr(not(feature = "remote"), allow(dead_code))]
pub(crate) struct Settings {
    /// What was typed, or stands in the environment.
    pub typed: Global,
    library: Option<PathBuf>,
    pub model: String,
    compute: Compute,
    pub offline: bool,
    pub quiet: bool,
    pub cache: Option<HubCache>,
    /// An address for letters, told to servers.
    pub contact: Option<String>,
    /// Where servers' answers are kept.
    pub answers: Option<PathBuf>,
    /// Between two questions to a server.
    pub pause: Option<Duration>,
    /// For how long an answer is used again without asking.
    pub fresh_for: Option<Duration>,
    /// From paperkin.toml.
    pub format: Option<String>,
    pub limit: Option<usize>,
    pub mail: Option<Mail>,
}

/// paperkin.toml.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Config {
    library: Option<PathBuf>,
    model: Option<String>,
    device: Option<String>,
    precision: Option<String>,
    offline: Option<bool>,
    format: Option<String>,
    limit: Option<usize>,
    contact: Option<String>,
    mail: Option<Mail>,
}

impl Settings {
    pub(crate) fn resolve(global: &Global) -> Result<Self> {
        let config = read_config(global.config.as_deref())?;
        let or_default = |flag: &Option<String>, config: Option<String>, default: &str| {
            flag.clone().or(config).filter(|text| !text.is_empty()).unwrap_or_else(|| default.to_owned())
        };
        if let Some(time) = variable("PAPERKIN_NOW").filter(|time| time.parse::<Timestamp>().is_err()) {
            return Err(Error::usage(format!("PAPERKIN_NOW is {time:?}; expected a time such as 2026-08-11T03:00:00Z")));
        }
        let hub_offline = ["PAPERKIN_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].into_iter().any(is_on);
        Ok(Self {
            typed: global.clone(),
            library: global.library.clone().filter(|path| !path.as_os_str().is_empty()).or(config.library),
            model: or_default(&global.model, config.model, BUILT_IN),
            compute: Compute {
                device: or_default(&global.device, config.device, "auto").parse()?,
                precision: or_default(&global.precision, config.precision, "auto").parse()?,
                // For tests and comparisons: a machine has one best set.
                instructions: variable("PAPERKIN_INSTRUCTIONS").map(|name| name.parse()).transpose()?,
            },
            offline: global.offline || hub_offline || config.offline.unwrap_or(false),
            quiet: global.quiet,
            cache: HubCache::from_variables(variable, dirs::home_dir()),
            contact: variable("PAPERKIN_CONTACT").or(config.contact),
            answers: variable("PAPERKIN_CACHE").map(PathBuf::from).or_else(|| Some(dirs::cache_dir()?.join("paperkin"))),
            pause: seconds("PAPERKIN_PAUSE")?,
            fresh_for: seconds("PAPERKIN_FRESH")?,
            format: config.format,
            limit: config.limit,
            mail: config.mail,
        })
    }

    /// The same with the library and the model of a job's file, unless others were typed or set.
    pub(crate) fn of_job(&self, library: Option<PathBuf>, model: Option<String>) -> Result<Self> {
        let typed = &self.typed;
        Self::resolve(&Global { library: typed.library.clone().or(library), model: typed.model.clone().or(model), ..typed.clone() })
    }

    pub(crate) fn directory(&self) -> Result<PathBuf> {
        let default = || dirs::data_dir().map(|data| data.join("paperkin").join("library"));
        self.library.clone().or_else(default).ok_or_else(|| Error::Usage {
            message: "no place for the library: neither HOME nor XDG_DATA_HOME is set".to_owned(),
            hint: Some("give a directory with --library or PAPERKIN_LIBRARY".to_owned()),
        })
    }

    pub(crate) fn library(&self) -> Result<Library> {
        Library::open(&self.directory()?)
    }

    pub(crate) fn library_to_write(&self) -> Result<Library> {
        Library::open_to_write(&self.directory()?)
    }

    pub(crate) fn new_or_old_library(&self) -> Result<Library> {
        Library::create_or_open(&self.directory()?)
    }

    /// The model that is set, from this machine or, unless offline, from the hub.
    pub(crate) fn open_model(&self) -> Result<Model> {
        match resolve(&self.model, self.cache.as_ref()) {
            Err(Error::ModelNotFound { model, looked, .. }) if self.offline => {
                Err(Error::ModelNotFound { model, looked, why: "and paperkin is set to offline".to_owned() })
            }
            Err(Error::ModelNotFound { model, looked, .. }) if is_hub_id(&self.model) => match crate::model::fetch(&self.model, self) {
                Ok(()) => resolve(&self.model, self.cache.as_ref()),
                Err(Error::Network { url, what, .. }) => Err(Error::ModelNotFound { model, looked, why: format!("and {what} at {url}") }),
                Err(other) => Err(other),
            },
            other => other,
        }
    }

    pub(crate) fn embedder(&self) -> Result<LazyEmbedder> {
        let model = self.open_model()?;
        if let Some(note) = model.note(&self.compute) {
            crate::output::say(self, &format!("note: {note}"));
        }
        Ok(LazyEmbedder::new(model, self.compute))
    }
}

/// A variable that is set to something.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// A time in seconds.
fn seconds(name: &str) -> Result<Option<Duration>> {
    let read = |text: String| text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or(text);
    let wrong = |text| Error::usage(format!("{name} is {text:?}; expected a number of seconds"));
    variable(name).map(read).transpose().map_err(wrong)
}

/// As the hub's own tools read a switch.
fn is_on(name: &str) -> bool {
    variable(name).is_some_and(|value| matches!(value.to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"))
}

fn read_config(given: Option<&Path>) -> Result<Config> {
    let in_configuration = dirs::config_dir().map(|dir| dir.join("paperkin").join("paperkin.toml"));
    let path = match given {
        Some(path) => Some(path.to_path_buf()),
        None => [Some(PathBuf::from("paperkin.toml")), in_configuration].into_iter().flatten().find(|path| path.is_file()),
    };
    let Some(path) = path else { return Ok(Config::default()) };
    let text = std::fs::read_to_string(&path).map_err(|e| Error::io("cannot read the settings", &path, e))?;
    // Not the line itself, which may hold what is not for a log.
    let wrong = |e: toml::de::Error| Error::in_file(&path, &text, e.span().map_or(0, |span| span.start), e.message());
    let config: Config = toml::from_str(&text).map_err(wrong)?;
    let beside = path.parent().unwrap_or(Path::new(""));
    Ok(Config { mail: config.mail.map(|mail| mail.beside(beside)), ..config })
}

/// A day as a person writes it: a date, `today` or `yesterday` (UTC).
pub(crate) fn day(text: Option<&str>) -> Result<Option<Date>> {
    let Some(text) = text else { return Ok(None) };
    let day = match text {
        "today" => Some(today()),
        "yesterday" => today().yesterday().ok(),
        _ => parse_date(text),
    };
    day.map(Some).ok_or_else(|| Error::usage(format!("no day {text:?}; expected YYYY-MM-DD, today or yesterday")))
}

/// The time now; that of `PAPERKIN_NOW`, if a night is replayed.
pub(crate) fn timestamp() -> Timestamp {
    static REPLAYED: std::sync::OnceLock<Option<Timestamp>> = std::sync::OnceLock::new();
    REPLAYED.get_or_init(|| variable("PAPERKIN_NOW")?.parse().ok()).unwrap_or_else(Timestamp::now)
}

/// The day in UTC.
pub(crate) fn today() -> Date {
    timestamp().to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// The time in UTC, to the second.
pub(crate) fn now() -> String {
    utc(timestamp())
}
