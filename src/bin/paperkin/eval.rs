//! `paperkin eval`.

use paperkin::recommend::{Ask, Desk, FEWEST, HUB, Judgements};
use paperkin::{ExitClass, Result, render};

use crate::args::Eval;
use crate::output::{self, Bar};
use crate::question;
use crate::settings::Settings;

pub(crate) fn run(args: &Eval, settings: &Settings) -> Result<ExitClass> {
    let options = question::order(&args.order, &args.strategy)?;
    let library = settings.library()?;
    let text = question::read_file(&args.citations)?;
    let judgements = Judgements::read(&library, &args.citations.display().to_string(), &text)?;
    if judgements.unknown > 0 {
        output::say(settings, &format!("note: {} of the lines name papers that the library does not have", judgements.unknown));
    }
    output::say(
        settings,
        &format!("of pairs, papers cited by more than {HUB} are set aside, and those that cite fewer than {FEWEST} are no queries"),
    );
    let ask = if args.profiles { Ask::Profile } else { Ask::Paper };
    let bar = Bar::new(settings, Some(judgements.all.len() as u64), "questions");
    let desk = Desk::new(&library)?;
    let found = desk.evaluate(&judgements, ask, &options, &mut |done| bar.set(done, String::new()))?;
    drop(bar);
    if args.form.json {
        crate::lists::print_json(&found)?;
    } else {
        output::print(&render::evaluation_text(&found))?;
    }
    Ok(ExitClass::Done)
}
