//! `paperkin subscribe`, `unsubscribe` and `subscriptions`.

use paperkin::deliver;
use paperkin::digest::{Every, Schedule, Wishes};
use paperkin::job;
use paperkin::library::Letter;
use paperkin::paper::utc;
use paperkin::{Error, ExitClass, Result};
use serde_json::json;

use crate::args::{JsonOnly, Subscribe, Unsubscribe};
use crate::settings::{Settings, timestamp};
use crate::{lists, output};

pub(crate) fn subscribe(args: &Subscribe, settings: &Settings) -> Result<ExitClass> {
    let address = deliver::address(&args.address)?;
    let every = match args.every.as_str() {
        "day" => Every::Day,
        "week" => Every::Week,
        other => return Err(Error::usage(format!("every {other:?}; expected day or week"))),
    };
    if every == Every::Day && args.on.is_some() {
        return Err(Error::usage("--on says the day of a week: it goes with --every week"));
    }
    let schedule = Schedule { every, at: args.at.parse()?, on: args.on.as_deref().unwrap_or("monday").parse()? };
    let wishes = Wishes { schedule, even_if_empty: args.even_if_empty, ..crate::digest::wishes(&args.wanted)? };
    // A wish that cannot be granted is told now, and not at night.
    let mut library = settings.new_or_old_library()?;
    let has_some = library.matching(&wishes.filter())?.is_none_or(|papers| !papers.is_empty());
    let profile = &args.profile.profile;
    let text = serde_json::to_string(&wishes).map_err(|e| Error::usage(e.to_string()))?;
    let is_new = library.subscribe(&address, profile, &text)?;
    let what = if is_new { "is subscribed" } else { "was subscribed; what it wished is forgotten, and now it is" };
    output::say(settings, &format!("{address} {what} for {profile}, {schedule}; `paperkin digest --deliver` mails what is due"));
    if !has_some && library.len()? > 0 {
        output::say(settings, "note: no paper that the library has is one that it wishes; are there such, and is it spelt so?");
    }
    let likes_nothing = library.ratings(profile)?.iter().all(|rating| rating.rating <= 0.0);
    if likes_nothing {
        output::say(settings, &format!("note: {profile} likes no paper yet: what has votes comes first, until `paperkin like ID` says more"));
    }
    Ok(ExitClass::Done)
}

pub(crate) fn unsubscribe(args: &Unsubscribe, settings: &Settings) -> Result<ExitClass> {
    let address = deliver::address(&args.address)?;
    let mut library = settings.library_to_write()?;
    match library.unsubscribe(&address, args.profile.as_deref())? {
        0 => Err(Error::Usage { message: format!("{address} is not subscribed"), hint: Some("`paperkin subscriptions` lists who is".to_owned()) }),
        _ => {
            output::say(settings, &format!("{address} gets no more mail"));
            Ok(ExitClass::Done)
        }
    }
}

pub(crate) fn subscriptions(args: &JsonOnly, settings: &Settings) -> Result<ExitClass> {
    let library = settings.library()?;
    let with_last = |due: job::Due| Ok((library.last_letter(due.subscription.id)?, due));
    let rows = job::due(&library, timestamp())?.into_iter().map(with_last).collect::<Result<Vec<_>>>()?;
    if args.json {
        let row = |(last, due): &(Option<Letter>, job::Due)| {
            json!({
                "address": due.subscription.address,
                "profile": due.subscription.profile,
                "wishes": due.wishes,
                "is_due": due.until.is_some(),
                "next": utc(due.next),
                "last": last.as_ref().map(|letter| json!({
                    "message_id": letter.message_id, "until": letter.until, "state": letter.state.name(), "changed": letter.changed, "note": letter.note,
                })),
            })
        };
        lists::print_json(&rows.iter().map(row).collect::<Vec<_>>())?;
        return Ok(ExitClass::Done);
    }
    for (last, due) in &rows {
        let when = if due.until.is_some() { "due now".to_owned() } else { format!("next at {}", utc(due.next)) };
        let last = last.as_ref().map(|letter| format!("; last: up to {}, {}", letter.until, letter.state.name())).unwrap_or_default();
        let line = format!("{}  for {}, {}; {when}{last}", due.subscription.address, due.subscription.profile, due.wishes.schedule);
        output::print(&format!("{}\n", paperkin::render::one_line(&line)))?;
    }
    if rows.is_empty() {
        output::say(settings, "nobody is subscribed: `paperkin subscribe ADDRESS` begins");
    }
    Ok(ExitClass::Done)
}
