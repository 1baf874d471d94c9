//! Mail to subscribers: what is due is written, with what it covers, and then sent, once.

use std::time::SystemTime;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::deliver::{Mail, Message, Outcome, Parcel, address, message};
use crate::digest::{Digest, Wishes, digest};
use crate::error::{Error, Result};
use crate::library::{Covered, Letter, LetterState, Library, Subscription, Uncovered};
use crate::paper::{Date, days_before, utc};
use crate::render;

use super::timer::shell_quoted;

/// A server that does not answer gets a letter so often.
const ATTEMPTS: u32 = 3;

/// What became of one letter, or of one that was not written.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    /// Who gets it.
    pub address: String,
    /// Whose likes.
    pub profile: String,
    /// What became of it.
    pub became: Became,
    /// Names it; nothing if none was written.
    pub message_id: Option<String>,
    /// Papers that it shows.
    pub papers: usize,
    /// What is to be said of it.
    pub note: String,
}

/// What became of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// Sent.
    Sent,
    /// Sent again, as nobody knows whether it was sent before; it may have come twice.
    SentAgain,
    /// It waits: the server could not take it now.
    Waits,
    /// It waits: the server was gone before it answered.
    Unanswered,
    /// The same, too often: it is not tried again.
    GivenUp,
    /// The server will never take it; its papers are new again.
    Refused,
    /// There was nothing new to write.
    Nothing,
}

impl Became {
    /// True if somebody has to look after it.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Waits | Self::Unanswered | Self::GivenUp | Self::Refused)
    }
}

/// Who delivers: by which way, and when.
pub struct Office<'o> {
    /// The way.
    pub mail: &'o Mail,
    /// The time.
    pub now: &'o dyn Fn() -> Timestamp,
    /// True if somebody wants an end.
    pub is_interrupted: &'o dyn Fn() -> bool,
}

/// When a subscription's digest is due, and of which days.
#[derive(Debug, Clone)]
pub struct Due {
    /// The subscription.
    pub subscription: Subscription,
    /// What it wishes.
    pub wishes: Wishes,
    /// The first day of its first digest.
    pub first: Date,
    /// The last day of the digest that is due; nothing if none is. What was refused is due the next time.
    pub until: Option<Date>,
    /// When the next one is due.
    pub next: Timestamp,
}

/// Every subscription, and whether it is due. The first digest is due at once, and holds the papers of two days, or of a week.
///
/// # Errors
///
/// [`Error::LibraryDamaged`] for wishes that cannot be read, and those of the library.
pub fn due(library: &Library, now: Timestamp) -> Result<Vec<Due>> {
    let due = |subscription: Subscription| {
        let wishes: Wishes = serde_json::from_str(&subscription.wishes)
            .map_err(|e| Error::LibraryDamaged { what: format!("the wishes of {} cannot be read: {e}", subscription.address) })?;
        let day = wishes.schedule.last(now);
        // A clock that was wrong may have told of days to come.
        let told = library.told_until(&subscription.reader())?.filter(|told| *told <= days_before(day, -1));
        let is_refused = library.last_letter(subscription.id)?.is_some_and(|last| last.state == LetterState::Refused && last.until == day);
        let until = Some(day).filter(|day| told.is_none_or(|told| told < *day) && !is_refused);
        let (first, next) = (days_before(day, (wishes.schedule.days() - 1).max(1)), wishes.schedule.next(now));
        Ok(Due { subscription, wishes, first, until, next })
    };
    library.subscriptions()?.into_iter().map(due).collect()
}

/// Writes the letters that are due, and sends them and those that wait; `done` gets what became of each, also before an error.
///
/// # Errors
///
/// [`Error::Interrupted`], settings of mail that mean nothing, and those of the library. What was sent is noted.
pub fn deliver(library: &mut Library, office: &Office<'_>, done: &mut Vec<Delivery>) -> Result<()> {
    office.mail.check()?;
    for due in due(library, (office.now)())? {
        let Some(until) = due.until else { continue };
        let subscription = due.subscription.clone();
        if let Some(seen) = write(library, office, due, until)? {
            let seen = if seen > 0 { format!(", and {seen} seen before") } else { String::new() };
            done.push(delivery(&subscription, None, Became::Nothing, format!("nothing is new up to {until}{seen}")));
        }
    }
    for letter in library.waiting_letters()? {
        // A server that was gone just now is left alone until the next run.
        let is_unanswered = |one: &Delivery| one.became == Became::Unanswered && one.message_id.as_ref() == Some(&letter.message_id);
        if done.iter().any(is_unanswered) {
            continue;
        }
        let subscription = library.subscriptions()?.into_iter().find(|one| one.id == letter.subscription);
        if let Some(subscription) = subscription {
            done.push(send(library, office, &subscription, letter)?);
        }
    }
    Ok(())
}

/// Writes a letter into the library. If there is nothing to write, how many papers the profile has seen before.
fn write(library: &mut Library, office: &Office<'_>, due: Due, until: Date) -> Result<Option<u64>> {
    if (office.is_interrupted)() {
        return Err(Error::Interrupted);
    }
    let Due { subscription, wishes, first, .. } = due;
    let (reader, now) = (subscription.reader(), (office.now)());
    // What is seen in mail to one address of a profile is not to be missing in that to another.
    let period = Uncovered { seen_in_mail: library.seen_in_mail(&subscription.profile)?, ..library.uncovered(&reader, first, until)? };
    let found = digest(library, &subscription.profile, &wishes, &period)?;
    let covered = Covered { reader: &reader, since: first, until, papers: &found.papers };
    if found.is_empty() && !wishes.even_if_empty {
        // A clock that is wrong tells nothing of days long ago.
        if library.told_until(&reader)?.is_none_or(|told| told <= until) {
            library.cover(&covered)?;
        }
        return Ok(Some(found.seen));
    }
    let message_id = message_id(&subscription, until, &found, &office.mail.from)?;
    let (to, profile) = (subscription.address.as_str(), subscription.profile.as_str());
    let footer = format!(
        "You get this as {to} is subscribed, for {profile}, {}. `paperkin unsubscribe {} --profile {}` ends it.",
        wishes.schedule,
        shell_quoted(to),
        shell_quoted(profile)
    );
    let bytes = letter(&found, (&office.mail.from, to), (&message_id, now), (&footer, Some(profile)))?;
    let letter = Letter {
        message_id,
        subscription: subscription.id,
        until,
        state: LetterState::Ready,
        attempts: 0,
        changed: utc(now),
        note: String::new(),
        shown: found.shown().map(|item| item.hit.row).collect(),
        message: bytes,
    };
    library.write_letter(&letter, &covered)?;
    Ok(None)
}

/// A digest as the bytes of a message, `from` somebody `to` somebody, perhaps on a list.
///
/// # Errors
///
/// [`Error::Usage`] for an address that is none.
pub fn letter(
    digest: &Digest,
    (from, to): (&str, &str),
    (message_id, now): (&str, Timestamp),
    (footer, list): (&str, Option<&str>),
) -> Result<Vec<u8>> {
    message(&Message {
        from,
        to,
        subject: &render::digest_subject(digest),
        message_id,
        list,
        date: SystemTime::from(now),
        text: render::digest_letter(digest, footer),
        html: render::digest_mail(digest, footer),
    })
}

/// The same for the same digest to the same subscriber: by it the other side knows a letter that it has.
fn message_id(subscription: &Subscription, until: Date, digest: &Digest, from: &str) -> Result<String> {
    let papers: Vec<String> = digest.shown().map(|item| item.hit.paper.id().to_string()).collect();
    let Subscription { id, address: to, profile, .. } = subscription;
    let hash = Sha256::digest(format!("{id} {to} {profile} {until} {}", papers.join(" ")).as_bytes());
    let hash: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let from = address(from)?;
    let domain = from.rsplit('@').next().unwrap_or_default();
    Ok(format!("{until}.{id}.{hash}.paperkin@{domain}"))
}

/// Sends a letter, and notes it before and after.
fn send(library: &mut Library, office: &Office<'_>, subscription: &Subscription, letter: Letter) -> Result<Delivery> {
    if (office.is_interrupted)() {
        return Err(Error::Interrupted);
    }
    let now = || utc((office.now)());
    let was_cut_off = letter.state == LetterState::Sending;
    if was_cut_off && letter.attempts >= ATTEMPTS {
        let note = format!("it was handed over {} times, and paperkin ended each time before it had an answer", letter.attempts);
        library.note_letter(&letter, LetterState::Unanswered, &note, &now())?;
        return Ok(delivery(subscription, Some(&letter), Became::GivenUp, note));
    }
    let mut is_handed_over = false;
    let mut hand_over = || {
        is_handed_over = true;
        library.hand_over(&letter, &now())
    };
    let parcel = Parcel { to: &subscription.address, message_id: &letter.message_id, message: &letter.message, hand_over: &mut hand_over };
    let handed = match office.mail.send(parcel) {
        Ok(handed) => handed,
        // Nobody knows.
        Err(error) if is_handed_over => return Err(error),
        Err(error) => {
            library.note_letter(&letter, letter.state, &error.to_string(), &now())?;
            return Err(error);
        }
    };
    let unanswered = Letter { attempts: letter.attempts + 1, ..letter.clone() };
    let (state, became, letter, note) = match handed.outcome.clone() {
        Outcome::Sent(note) if was_cut_off => {
            let note = format!("it was handed over before, and may have come twice, under one message id. {note}");
            (LetterState::Sent, Became::SentAgain, letter, note)
        }
        Outcome::Sent(note) => (LetterState::Sent, Became::Sent, letter, note),
        Outcome::Later(note) if was_cut_off => (LetterState::Sending, Became::Waits, letter, note),
        Outcome::Later(note) => (LetterState::Ready, Became::Waits, letter, note),
        // One that may have arrived is not told once more under another name.
        Outcome::Never(note) if was_cut_off => (LetterState::Unanswered, Became::GivenUp, letter, note),
        Outcome::Never(note) => (LetterState::Refused, Became::Refused, letter, note),
        Outcome::Unknown(note) if unanswered.attempts >= ATTEMPTS => (LetterState::Unanswered, Became::GivenUp, unanswered, note),
        Outcome::Unknown(note) => (LetterState::Sending, Became::Unanswered, unanswered, note),
    };
    library.note_letter(&letter, state, &note, &now())?;
    drop(handed);
    Ok(delivery(subscription, Some(&letter), became, note))
}

/// What became of a letter, in a line.
pub fn delivery_line(delivery: &Delivery) -> String {
    let Delivery { address, profile, became, papers, note, .. } = delivery;
    let what = match became {
        Became::Sent => format!("{} mailed", render::plural(*papers as u64, "paper")),
        Became::SentAgain => format!("{} mailed, perhaps for the second time", render::plural(*papers as u64, "paper")),
        Became::Waits => "waits, and is tried again".to_owned(),
        Became::Unanswered => "perhaps mailed: the server was gone before it answered; it is tried again, under the same message id".to_owned(),
        Became::GivenUp => "perhaps mailed: nobody knows, and it is not tried again".to_owned(),
        Became::Refused => "refused; its papers are new again".to_owned(),
        Became::Nothing => "no mail".to_owned(),
    };
    let note = if note.is_empty() { String::new() } else { format!(" ({})", render::one_line(note)) };
    format!("{address}, for {profile}: {what}{note}")
}

fn delivery(subscription: &Subscription, letter: Option<&Letter>, became: Became, note: String) -> Delivery {
    Delivery {
        address: subscription.address.clone(),
        profile: subscription.profile.clone(),
        became,
        message_id: letter.map(|letter| letter.message_id.clone()),
        papers: letter.map_or(0, |letter| letter.shown.len()),
        note,
    }
}
