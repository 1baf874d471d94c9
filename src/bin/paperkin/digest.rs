//! `paperkin digest`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use jiff::civil::{ISOWeekDate, Weekday};
use paperkin::deliver::{self, Mail, Outcome, Parcel};
use paperkin::digest::{Digest as Found, Wishes, digest};
use paperkin::ingest::Embed;
use paperkin::library::{Covered, Days, Library, PaperRow, Uncovered};
use paperkin::paper::{Date, PaperId, parse_date, utc};
use paperkin::render::{self, DigestForm};
use paperkin::{Error, ExitClass, Result, job};

use crate::add::{Asked, library};
use crate::args::{Digest, Output, Wanted};
use crate::export::into_file;
use crate::settings::{Settings, day, now, timestamp, today, variable};
use crate::{output, question};

pub(crate) fn run(args: &Digest, settings: &Settings) -> Result<ExitClass> {
    if args.output.deliver {
        return deliver_due(args, settings);
    }
    let form = form(&args.output, settings)?;
    let wishes = wishes(&args.wanted)?;
    let mails = mails(&args.output, settings)?;
    let Asked { library, class, .. } = library(&args.from, Embed::Titles, settings)?;
    // Files know nobody's likes.
    let profile = if args.from.inputs.is_empty() { args.profile.profile.as_str() } else { "" };
    let reader = format!("profile {profile}");
    let period = period(args, &library, &reader)?;
    let found = digest(&library, profile, &wishes, &period)?;
    found.silent.iter().for_each(|reason| output::say(settings, &format!("note: {reason}: it says nothing here")));
    let files = write_files(&found, &args.output, settings)?;
    let mut failed = 0;
    for (mail, to) in &mails {
        // One that is refused does not stop the others; of one alone, the error is that of the command.
        match send(&found, mail, to, settings) {
            Err(error) if mails.len() > 1 => {
                failed += 1;
                output::print_error(&error, args.output.json);
            }
            sent => sent?,
        }
    }
    if (files == 0 && mails.is_empty()) || args.output.format.is_some() || args.output.json {
        output::print(&render::digest(&found, form, output::width()))?;
    }
    if args.mark_seen && failed > 0 {
        output::complain("note: nothing is noted as seen, as some mail did not leave");
    } else if args.mark_seen {
        let mut library = settings.library_to_write()?;
        let shown: Vec<PaperRow> = found.shown().map(|item| item.hit.row).collect();
        library.mark_seen(profile, &shown, &now())?;
        // What is to come was not told; and what was told stays so.
        let until = period.days.until.map_or_else(today, |until| until.min(today()));
        let until = until.max(library.told_until(&reader)?.unwrap_or(until));
        library.cover(&Covered { reader: &reader, since: period.days.since.unwrap_or(until), until, papers: &found.papers })?;
    }
    Ok(match failed {
        0 => class,
        n if n == mails.len() => ExitClass::Failure,
        _ => ExitClass::Partial,
    })
}

fn form(output: &Output, settings: &Settings) -> Result<DigestForm> {
    match &output.format {
        _ if output.json => Ok(DigestForm::Json),
        Some(name) => name.parse(),
        None if settings.quiet => Ok(DigestForm::Ids),
        // What is set is meant for lists; a digest takes it where it has such a form.
        None => Ok(variable("PAPERKIN_FORMAT").or(settings.format.clone()).and_then(|name| name.parse().ok()).unwrap_or(DigestForm::Table)),
    }
}

pub(crate) fn wishes(wanted: &Wanted) -> Result<Wishes> {
    let default = Wishes::default();
    let choice = &wanted.choice;
    question::check(choice)?;
    Ok(Wishes {
        categories: choice.categories.clone(),
        authors: choice.authors.clone(),
        keywords: wanted.keywords.keywords.clone(),
        exclude: choice.exclude.clone(),
        sources: choice.sources.clone(),
        min_upvotes: choice.min_upvotes,
        papers: wanted.limit.unwrap_or(default.papers),
        sort: wanted.sort.parse()?,
        seen: wanted.seen.parse()?,
        ..default
    })
}

/// The days that were asked for, and what is not to be in the digest.
fn period(args: &Digest, library: &Library, reader: &str) -> Result<Uncovered> {
    let of = |days: Days| Uncovered { days, ..Uncovered::default() };
    let wrong = |what: &str, text: &str, example: &str| Error::usage(format!("no {what} {text:?}; expected one such as {example}"));
    let until = day(args.until.as_deref())?;
    if let Some(day) = day(args.date.as_deref())? {
        return Ok(of(Days::one(day)));
    }
    if let Some(text) = &args.week {
        let (first, last) = week(text).ok_or_else(|| wrong("week", text, "2026-W33"))?;
        return Ok(of(Days { since: Some(first), until: Some(last) }));
    }
    if let Some(text) = &args.month {
        let first = Some(text)
            .filter(|text| text.len() == 7)
            .and_then(|text| parse_date(&format!("{text}-01")))
            .ok_or_else(|| wrong("month", text, "2026-08"))?;
        return Ok(of(Days { since: Some(first), until: Some(first.last_of_month()) }));
    }
    if let Some(days) = args.days {
        let until = until.unwrap_or_else(today);
        let before = i32::try_from(days).ok().filter(|days| (1..=366).contains(days));
        let before = before.ok_or_else(|| Error::usage(format!("{days} days; expected a number from 1 to 366")))?;
        return Ok(of(Days::up_to(until, before)));
    }
    let last = |library: &Library, until| Ok::<_, Error>(library.last_day(until)?.unwrap_or(until));
    if args.new {
        let until = until.unwrap_or_else(today);
        return library.uncovered(reader, last(library, until)?, until);
    }
    if let Some(since) = day(args.since.as_deref())? {
        let until = until.unwrap_or_else(today);
        if since > until {
            return Err(Error::usage(format!("from {since} to {until} there is no day")));
        }
        return Ok(of(Days { since: Some(since), until: Some(until) }));
    }
    Ok(of(Days::one(last(library, until.unwrap_or_else(today))?)))
}

/// `2026-W33`: its Monday and its Sunday.
pub(crate) fn week(text: &str) -> Option<(Date, Date)> {
    let (year, week) = text.split_once("-W").or_else(|| text.split_once("-w"))?;
    let day = |day| Some(ISOWeekDate::new(year.parse().ok()?, week.parse().ok()?, day).ok()?.date());
    Some((day(Weekday::Monday)?, day(Weekday::Sunday)?))
}

/// Writes the files that were asked for; how many.
fn write_files(found: &Found, output: &Output, settings: &Settings) -> Result<usize> {
    let forms = [
        (&output.to_html, DigestForm::Html),
        (&output.to_markdown, DigestForm::Markdown),
        (&output.to_json, DigestForm::Json),
        (&output.to_atom, DigestForm::Atom),
    ];
    let mut files: Vec<(&PathBuf, Vec<u8>)> = Vec::new();
    for (path, form) in forms {
        files.extend(path.iter().map(|path| (path, render::digest(found, form, output::width()).into_bytes())));
    }
    if let Some(path) = &output.to_mail {
        // Mail that goes nowhere needs no settings.
        let from = settings.mail.as_ref().map(|mail| mail.from.as_str()).filter(|from| !from.is_empty()).unwrap_or("paperkin@localhost");
        files.push((path, letter(found, (from, from), &message_id(found, from, from)?)?));
    }
    for (path, bytes) in &files {
        if path.as_path() == Path::new("-") {
            output::print(&String::from_utf8_lossy(bytes))?;
        } else {
            into_file(path, |out| out.write_all(bytes).map_err(|e| Error::io("cannot write", path, e)))?;
            output::say(settings, &format!("the digest is in {}", path.display()));
        }
    }
    Ok(files.len())
}

/// The addresses, and how mail gets there.
fn mails<'s>(output: &Output, settings: &'s Settings) -> Result<Vec<(&'s Mail, String)>> {
    if output.emails.is_empty() {
        return Ok(Vec::new());
    }
    let mail = self::mail(settings)?;
    let mut addresses = output.emails.iter().map(|to| deliver::address(to)).collect::<Result<Vec<_>>>()?;
    // Who is named twice gets one.
    let mut known = HashSet::new();
    addresses.retain(|address| known.insert(address.clone()));
    Ok(addresses.into_iter().map(|to| (mail, to)).collect())
}

/// How mail leaves, if the settings say it.
pub(crate) fn set_mail(settings: &Settings) -> Result<&Mail> {
    let none = Mail::default();
    settings.mail.as_ref().unwrap_or(&none).check()?;
    settings.mail.as_ref().ok_or_else(|| Error::usage("nothing says how mail leaves"))
}

/// Offline, no server is asked.
pub(crate) fn may_leave(mail: &Mail, settings: &Settings) -> Result<()> {
    match settings.offline && mail.server.is_some() {
        true => Err(Error::Mail { to: "anybody".to_owned(), way: mail.way(), what: "paperkin is set to offline, and sends nothing".to_owned() }),
        false => Ok(()),
    }
}

fn mail(settings: &Settings) -> Result<&Mail> {
    let mail = set_mail(settings)?;
    may_leave(mail, settings).map(|()| mail)
}

/// A digest that was asked for now.
fn letter(found: &Found, (from, to): (&str, &str), message_id: &str) -> Result<Vec<u8>> {
    job::letter(found, (from, to), (message_id, timestamp()), ("Sent by paperkin, as it was asked to.", None))
}

/// Of these papers to this address at this time.
fn message_id(found: &Found, from: &str, to: &str) -> Result<String> {
    let papers = found.papers.iter().map(|row| row.0.to_string()).collect::<Vec<_>>().join(" ");
    let domain = deliver::address(from)?.rsplit('@').next().unwrap_or_default().to_owned();
    let hash = PaperId::of_title(&format!("{to} {} {papers}", found.profile)).to_string();
    let hash: String = hash.chars().filter(char::is_ascii_alphanumeric).collect();
    Ok(format!("{hash}.{}.paperkin@{domain}", timestamp().as_millisecond()))
}

fn send(found: &Found, mail: &Mail, to: &str, settings: &Settings) -> Result<()> {
    let id = message_id(found, &mail.from, to)?;
    let message = letter(found, (&mail.from, to), &id)?;
    let failed = |what: String| Err(Error::Mail { to: to.to_owned(), way: mail.way(), what });
    let parcel = Parcel { to, message_id: &id, message: &message, hand_over: &mut || Ok(()) };
    match mail.send(parcel)?.outcome {
        Outcome::Sent(_) => output::say(settings, &format!("mailed to {to}")),
        Outcome::Later(what) => return failed(format!("not now: {what}")),
        Outcome::Never(what) => return failed(format!("refused: {what}")),
        Outcome::Unknown(what) => return failed(format!("nobody knows whether it was taken: {what}")),
    }
    Ok(())
}

/// `digest --deliver`.
fn deliver_due(args: &Digest, settings: &Settings) -> Result<ExitClass> {
    crate::catch_interrupts()?;
    let mail = mail(settings)?;
    let mut library = settings.library_to_write()?;
    if library.subscriptions()?.is_empty() {
        output::say(settings, "nobody is subscribed: `paperkin subscribe ADDRESS` begins");
    }
    let office = job::Office { mail, now: &timestamp, is_interrupted: &crate::is_interrupted };
    let mut done = Vec::new();
    let ended = job::deliver(&mut library, &office, &mut done);
    if args.output.json {
        crate::lists::print_json(&done)?;
    }
    for one in &done {
        let line = job::delivery_line(one);
        if one.became.is_failure() { output::complain(&format!("failed: {line}")) } else { output::say(settings, &line) }
    }
    ended?;
    if done.is_empty() {
        let next = job::due(&library, timestamp())?.into_iter().map(|due| due.next).min();
        next.iter().for_each(|next| output::say(settings, &format!("nothing is due; the next is at {}", utc(*next))));
    }
    let failed = done.iter().filter(|one| one.became.is_failure()).count();
    Ok(match failed {
        0 => ExitClass::Done,
        n if n == done.len() => ExitClass::Failure,
        _ => ExitClass::Partial,
    })
}
