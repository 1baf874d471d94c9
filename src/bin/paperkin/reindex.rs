//! `paperkin reindex`.

use std::ops::ControlFlow;

use paperkin::{Error, ExitClass, Result, ingest};

use crate::output::{self, Bar};
use crate::settings::Settings;

pub(crate) fn run(settings: &Settings) -> Result<ExitClass> {
    crate::catch_interrupts()?;
    let mut library = settings.library_to_write()?;
    let mut embedder = settings.embedder()?;
    let total = library.count_pending()?;
    let bar = Bar::new(settings, Some(total), "papers");
    let done = ingest::reindex(&mut library, &mut embedder, &mut |done| {
        bar.set(done, String::new());
        if crate::is_interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    drop(bar);
    let done = done.inspect_err(|error| {
        if matches!(error, Error::Interrupted) {
            output::complain("the old vectors are in place and answer; the same command goes on from here");
        }
    })?;
    output::keep_index(&mut library, settings);
    output::say(settings, &format!("{done} papers embedded with {}", embedder.space().name()));
    Ok(ExitClass::Done)
}
