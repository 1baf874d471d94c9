//! Who gets digests by mail, and the mail itself: it is written here before it is sent, so that it is sent once.
//!
//! ```text
//! ready ─▶ sending ─▶ sent
//!   ▲         │ ├───▶ refused
//!   └─────────┘ └───▶ unanswered, too often
//!    not now
//! ```
//!
//! A letter and what it covers are one transaction. One that is still `sending` when a process begins was cut off: nobody knows
//! whether the server took it. It goes out again with the same message id, which is how the other side knows it.

use rusqlite::{OptionalExtension, params};

use super::readers::Covered;
use super::{Library, PaperRow};
use crate::error::Result;
use crate::paper::{Date, parse_date};

/// Somebody who gets digests by mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its number, which no other subscription of the library ever gets.
    pub id: i64,
    /// The address.
    pub address: String,
    /// Whose likes.
    pub profile: String,
    /// When and which papers, as whoever made it wrote it.
    pub wishes: String,
}

impl Subscription {
    /// The name under which the library knows what it was told.
    pub fn reader(&self) -> String {
        format!("subscription {}", self.id)
    }
}

/// Where a letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LetterState {
    Ready,
    /// Handed to a server, of which no answer was noted.
    Sending,
    Sent,
    /// The server will never take it; its papers are new again.
    Refused,
    /// It was handed over, perhaps more than once, and nobody knows whether it arrived.
    Unanswered,
}

impl LetterState {
    const ALL: [Self; 5] = [Self::Ready, Self::Sending, Self::Sent, Self::Refused, Self::Unanswered];

    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
        }
    }
}

/// A digest as mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Names it for ever; without angle brackets.
    pub message_id: String,
    /// The number of the subscription.
    pub subscription: i64,
    /// The last day that it tells of.
    pub until: Date,
    /// Where it is.
    pub state: LetterState,
    /// How often it was handed to a server that did not answer, or not before this program ended.
    pub attempts: u32,
    /// When its state last changed, in UTC.
    pub changed: String,
    /// What the server said.
    pub note: String,
    /// The papers that it shows.
    pub shown: Vec<PaperRow>,
    /// The message; empty once there is no need of it.
    pub message: Vec<u8>,
}

const LETTER: &str = "message_id, subscription, until, state, attempts, changed, note, shown, message";

impl Library {
    /// Subscribes an address with a profile, or changes what it wishes; true if it is new.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn subscribe(&mut self, address: &str, profile: &str, wishes: &str) -> Result<bool> {
        let known = self.subscriptions()?.iter().any(|known| known.address == address && known.profile == profile);
        let sql = "INSERT INTO subscriptions (address, profile, wishes) VALUES (?1, ?2, ?3)
            ON CONFLICT (address, profile) DO UPDATE SET wishes = excluded.wishes";
        self.connection.execute(sql, params![address, profile, wishes])?;
        Ok(!known)
    }

    /// Ends the subscriptions of an address, of one profile or of all; how many there were.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`]; then nothing was written.
    pub fn unsubscribe(&mut self, address: &str, profile: Option<&str>) -> Result<usize> {
        self.in_transaction(|library| {
            let mut ended = 0;
            for one in library.subscriptions()? {
                if one.address != address || profile.is_some_and(|profile| profile != one.profile) {
                    continue;
                }
                for sql in ["DELETE FROM readers WHERE reader = ?1", "DELETE FROM covered WHERE reader = ?1"] {
                    library.connection.execute(sql, [one.reader()])?;
                }
                ended += library.connection.execute("DELETE FROM subscriptions WHERE subscription = ?1", [one.id])?;
            }
            Ok(ended)
        })
    }

    /// All subscriptions, the oldest first.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn subscriptions(&self) -> Result<Vec<Subscription>> {
        if self.format < 6 {
            return Ok(Vec::new());
        }
        let sql = "SELECT subscription, address, profile, wishes FROM subscriptions ORDER BY subscription";
        let mut query = self.connection.prepare_cached(sql)?;
        let one = |row: &rusqlite::Row<'_>| Ok(Subscription { id: row.get(0)?, address: row.get(1)?, profile: row.get(2)?, wishes: row.get(3)? });
        Ok(query.query_map([], one)?.collect::<rusqlite::Result<_>>()?)
    }

    /// Writes a letter that is to be sent, with what it covers, in one transaction.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`]; then nothing was written.
    pub fn write_letter(&mut self, letter: &Letter, covered: &Covered<'_>) -> Result<()> {
        self.in_transaction(|library| {
            let before = library.told_until(covered.reader)?.map(|day| day.to_string());
            // The same may be there: one that was refused is tried again, and one that was sent is not.
            let sql = "INSERT INTO letters (message_id, subscription, until, before, state, changed, shown, message)
                VALUES (?1, ?2, ?3, ?4, 'ready', ?5, ?6, ?7)
                ON CONFLICT (message_id) DO UPDATE SET until = excluded.until, before = excluded.before, state = 'ready', attempts = 0,
                changed = excluded.changed, note = '', shown = excluded.shown, message = excluded.message WHERE state = 'refused'";
            let Letter { message_id, subscription, until, changed, shown, message, .. } = letter;
            let shown = serde_json::to_string(shown).unwrap_or_default();
            library.connection.execute(sql, params![message_id, subscription, until.to_string(), before, changed, shown, message])?;
            library.note_covered(covered, Some(message_id))
        })
    }

    /// The letters that are not yet sent, the oldest first.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn waiting_letters(&self) -> Result<Vec<Letter>> {
        let sql = format!("SELECT {LETTER} FROM letters WHERE state IN ('ready', 'sending') ORDER BY until, subscription");
        self.letters(&sql, &[])
    }

    /// The last letter to a subscription.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn last_letter(&self, subscription: i64) -> Result<Option<Letter>> {
        let sql = format!("SELECT {LETTER} FROM letters WHERE subscription = ?1 ORDER BY until DESC, changed DESC LIMIT 1");
        Ok(self.letters(&sql, &[&subscription])?.pop())
    }

    fn letters(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<Letter>> {
        if self.format < 6 {
            return Ok(Vec::new());
        }
        let mut query = self.connection.prepare_cached(sql)?;
        let letter = |row: &rusqlite::Row<'_>| {
            let (until, state, shown): (String, String, String) = (row.get(2)?, row.get(3)?, row.get(7)?);
            Ok(Letter {
                message_id: row.get(0)?,
                subscription: row.get(1)?,
                until: parse_date(&until).unwrap_or_default(),
                state: LetterState::ALL.into_iter().find(|known| known.name() == state).unwrap_or(LetterState::Refused),
                attempts: row.get(4)?,
                changed: row.get(5)?,
                note: row.get(6)?,
                shown: serde_json::from_str::<Vec<i64>>(&shown).unwrap_or_default().into_iter().map(PaperRow).collect(),
                message: row.get(8)?,
            })
        };
        Ok(query.query_map(values, letter)?.collect::<rusqlite::Result<_>>()?)
    }

    /// Notes that a letter is about to be handed to a server.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`].
    pub fn hand_over(&mut self, letter: &Letter, now: &str) -> Result<()> {
        let sql = "UPDATE letters SET state = 'sending', attempts = attempts + 1, changed = ?2 WHERE message_id = ?1";
        self.connection.execute(sql, params![letter.message_id, now])?;
        Ok(())
    }

    /// Notes what became of a letter that was handed over: sent, not now, never, or nobody knows.
    ///
    /// A sent one marks what it shows as seen by its profile; a refused one makes its papers new again. The letter's attempts are kept.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Store`]; then nothing was written.
    pub fn note_letter(&mut self, letter: &Letter, state: LetterState, note: &str, now: &str) -> Result<()> {
        self.in_transaction(|library| {
            let is_over = !matches!(state, LetterState::Ready | LetterState::Sending);
            let sql = "UPDATE letters SET state = ?2, note = ?3, changed = ?4, attempts = ?6,
                message = CASE WHEN ?5 THEN x'' ELSE message END, shown = CASE WHEN ?5 THEN '[]' ELSE shown END WHERE message_id = ?1";
            library.connection.execute(sql, params![letter.message_id, state.name(), note, now, is_over, letter.attempts])?;
            let Some(subscription) = library.subscriptions()?.into_iter().find(|one| one.id == letter.subscription) else { return Ok(()) };
            match state {
                LetterState::Sent | LetterState::Unanswered => library.note_mailed(&subscription.profile, &letter.shown, now),
                LetterState::Refused => {
                    let sql = "SELECT before FROM letters WHERE message_id = ?1";
                    let before: Option<Option<String>> = library.connection.query_row(sql, [&letter.message_id], |row| row.get(0)).optional()?;
                    library.uncover(&subscription.reader(), &letter.message_id, before.flatten().as_deref())
                }
                LetterState::Ready | LetterState::Sending => Ok(()),
            }
        })
    }
}
