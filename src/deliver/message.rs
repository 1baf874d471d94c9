//! A message: MIME, with a plain and an HTML part and the headers of a list, by which mail programs sort it and offer its end.

use std::time::SystemTime;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// What a message says.
#[derive(Debug, Clone)]
pub struct Message<'m> {
    /// `Name <address>`.
    pub from: &'m str,
    /// The address.
    pub to: &'m str,
    /// The subject.
    pub subject: &'m str,
    /// Names it for ever; without angle brackets.
    pub message_id: &'m str,
    /// The list that it is of, such as a profile; nothing for a letter that somebody asked for once.
    pub list: Option<&'m str>,
    /// When it was written.
    pub date: SystemTime,
    /// The plain part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

/// The bytes of a message; the same for the same words.
///
/// # Errors
///
/// [`Error::Usage`] for an address that is none.
pub fn message(message: &Message<'_>) -> Result<Vec<u8>> {
    let (from, to) = (mailbox(message.from)?, mailbox(message.to)?);
    let header = |name: &'static str, value: String| HeaderValue::new(HeaderName::new_from_ascii_str(name), value);
    let subject: String = message.subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let list = message.list.map(list_name).map(|list| {
        let end = format!("<mailto:{}?subject=unsubscribe%20{list}>", from.email);
        [header("List-Id", format!("<{list}.paperkin.{}>", from.email.domain())), header("List-Unsubscribe", end)]
    });
    // A boundary that is drawn by lot would make each writing another message.
    let boundary = format!("=_{}", message.message_id.chars().filter(char::is_ascii_alphanumeric).take(32).collect::<String>());
    let part = |kind: ContentType, body: &str| SinglePart::builder().header(kind).body(body.to_owned());
    let parts = MultiPart::alternative()
        .boundary(boundary)
        .singlepart(part(ContentType::TEXT_PLAIN, &message.text))
        .singlepart(part(ContentType::TEXT_HTML, &message.html));
    let mut builder = lettre::Message::builder()
        .message_id(Some(format!("<{}>", message.message_id)))
        .date(message.date)
        .from(from)
        .to(to)
        .subject(subject)
        .raw_header(header("Auto-Submitted", "auto-generated".to_owned()))
        .raw_header(header("X-Mailer", "paperkin".to_owned()));
    for header in list.into_iter().flatten() {
        builder = builder.raw_header(header);
    }
    Ok(builder.multipart(parts).map_err(|e| Error::usage(format!("the message cannot be written: {e}")))?.formatted())
}

/// What a list may be called in a header: a short word, and if that is not all of its name, with a mark of all.
fn list_name(name: &str) -> String {
    let plain: String = name.chars().take(40).map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let mark: String = Sha256::digest(name.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    if plain == name && !plain.is_empty() { plain } else { format!("{}-{mark}", plain.trim_matches('-')).trim_start_matches('-').to_owned() }
}

/// The bare address of `Name <address>`, or of an address alone.
///
/// # Errors
///
/// [`Error::Usage`] for what is no address.
pub fn address(text: &str) -> Result<String> {
    let email = mailbox(text)?.email;
    if !email.domain().is_ascii() {
        return Err(Error::usage(format!("no address {text:?}: letters beyond ASCII behind the @; write that as xn--…")));
    }
    // What stands behind the @ has no case.
    Ok(format!("{}@{}", email.user(), email.domain().to_lowercase()))
}

pub(super) fn mailbox(text: &str) -> Result<Mailbox> {
    text.parse::<Mailbox>().map_err(|e| Error::usage(format!("no address {text:?} ({e}); expected you@example.org or Name <you@example.org>")))
}
