//! Data to standard output, all else to standard error; a closed pipe is success.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use paperkin::library::{GRAPH_FROM, Library, Status};
use paperkin::render::{Format, one_line};
use paperkin::{Error, Result};

use crate::args::Form;
use crate::settings::{Settings, now};

/// Writes data. Nothing else goes to standard output.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| Error::io("cannot write to", Path::new("standard output"), e))
}

pub(crate) fn is_closed_pipe(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe)
}

/// A line for a person, unless quiet.
pub(crate) fn say(settings: &Settings, text: &str) {
    if !settings.quiet {
        complain(text);
    }
}

/// A line for a person, quiet or not. Nobody can be told that standard error is closed.
pub(crate) fn complain(text: &str) {
    let level = ["failed:", "error:"].iter().any(|word| text.starts_with(word));
    log(if level { "warning" } else { "info" }, text);
}

/// How messages are written, and the step of a job that they are of.
static LOG: Mutex<(bool, Option<String>)> = Mutex::new((false, None));

/// Messages as text or as JSON.
pub(crate) fn set_log_format(name: Option<&str>) -> Result<()> {
    let is_json = match name.filter(|name| !name.is_empty()) {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => return Err(Error::usage(format!("no form of messages {other:?}; expected text or json"))),
    };
    LOG.lock().unwrap_or_else(PoisonError::into_inner).0 = is_json;
    Ok(())
}

/// The step that messages are of from now on.
pub(crate) fn set_step(step: Option<&str>) {
    LOG.lock().unwrap_or_else(PoisonError::into_inner).1 = step.map(str::to_owned);
}

fn log(level: &str, text: &str) {
    let (is_json, step) = LOG.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let line = match is_json {
        true => serde_json::json!({ "time": now(), "level": level, "step": step, "message": text }).to_string(),
        false => text.lines().map(one_line).collect::<Vec<_>>().join("\n"),
    };
    let _ = writeln!(stderr(), "{line}");
}

pub(crate) fn print_error(error: &Error, json: bool) {
    let (message, hint) = (error.to_string(), error.hint());
    if json {
        let value = serde_json::json!({ "error": message, "error_type": error.kind(), "hint": hint });
        let _ = writeln!(stderr(), "{value}");
        return;
    }
    complain(&format!("error: {message}"));
    if let Some(hint) = hint {
        complain(&format!("hint: {hint}"));
    }
}

/// Makes the index that questions will want. Without it they only take longer.
pub(crate) fn keep_index(library: &mut Library, settings: &Settings) {
    let is_long = |status: Status| status.vectors >= GRAPH_FROM as u64 && (status.index.changed > 0 || !status.index.has_graph);
    if library.status().is_ok_and(is_long) {
        say(settings, "the library is written; its index is brought up to date");
    }
    if let Err(error) = library.keep_index() {
        complain(&format!("note: the index could not be brought up to date; questions are answered all the same, more slowly: {error}"));
    }
}

/// Says that an index was damaged, and makes it anew if nobody else writes.
pub(crate) fn mend_index(damage: Option<&str>, settings: &Settings) {
    let Some(damage) = damage else { return };
    complain(&format!("the library's index was damaged ({damage}): it is made anew of the library"));
    // Whoever holds the lock makes it when done.
    if let Err(error) = settings.library_to_write().and_then(|mut library| library.renew_index()) {
        complain(&format!("note: not now: {error}"));
    }
}

/// The form of a list: asked for, else ids if quiet, else a table.
pub(crate) fn format(form: &Form, settings: &Settings) -> Result<Format> {
    match form.format.as_ref().or(settings.format.as_ref()) {
        _ if form.json => Ok(Format::Json),
        _ if settings.quiet => Ok(Format::Ids),
        Some(name) => name.parse(),
        None => Ok(Format::Table),
    }
}

/// Columns of the terminal; a table in a pipe is as wide as a title may be.
pub(crate) fn width() -> usize {
    const IN_A_PIPE: usize = 160;
    let columns = || console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    if stdout().is_terminal() { columns().unwrap_or(80) } else { IN_A_PIPE }
}

/// A bar on standard error, where that is a terminal and not quiet.
pub(crate) struct Bar(Option<ProgressBar>);

impl Bar {
    /// `unit` is what is counted; without a total, a spinner.
    pub(crate) fn new(settings: &Settings, total: Option<u64>, unit: &str) -> Self {
        if settings.quiet || !stderr().is_terminal() {
            return Self(None);
        }
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), format!("{{bar:30}} {{pos}}/{{len}} {unit}, {{per_sec}}, {{eta}} left {{msg}}")),
            None => (ProgressBar::new_spinner(), format!("{{spinner}} {{pos}} {unit}, {{per_sec}}, {{elapsed}} {{msg}}")),
        };
        bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(Some(bar))
    }

    pub(crate) fn set(&self, done: u64, message: String) {
        if let Some(bar) = &self.0 {
            bar.set_position(done);
            bar.set_message(message);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
