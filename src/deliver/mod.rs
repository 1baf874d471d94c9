//! Mail: a message with a plain and an HTML part, and the ways by which it leaves: a server, a program, a directory.
//!
//! What became of a message is one of four things, as whoever sends it must know whether to send it again: it was taken, it may be
//! taken later, it never will be, or nobody knows.
//!
//! | file | what it does |
//! |---|---|
//! | `message` | MIME |
//! | `smtp` | a server: plain on this machine, STARTTLS or TLS, with a login |
//! | `local` | a `sendmail`, a directory |

mod local;
mod message;
#[cfg(feature = "remote")]
mod smtp;

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Error, Result};

pub use message::{Message, address, message};

/// How mail leaves, as settings say it: by a server, a program or a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    /// Whose mail it is: `Name <address>`.
    pub from: String,
    /// An SMTP server: its name, perhaps with a port.
    pub server: Option<String>,
    /// How the connection is kept from others' eyes.
    pub security: Security,
    /// Who logs in.
    pub user: Option<String>,
    /// A file whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// A command that prints the password.
    pub password_command: Option<String>,
    /// A certificate, in PEM, that the server's may be signed with, beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// A program that takes mail as sendmail does.
    pub sendmail: Option<PathBuf>,
    /// A directory into which each message is written as a file.
    pub directory: Option<PathBuf>,
    /// The password, once it was asked for: whoever prints it may ask a person.
    #[serde(skip)]
    known_password: OnceLock<String>,
}

/// How a connection is kept from others' eyes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// It begins plain and must become encrypted; port 587.
    #[default]
    Starttls,
    /// It is encrypted; port 465.
    Tls,
    /// It is plain, without a login; port 25.
    None,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken; with what was said of it.
    Sent(String),
    /// It was not taken now.
    Later(String),
    /// It will never be taken.
    Never(String),
    /// The other side was gone before it answered.
    Unknown(String),
}

/// A message and its way.
pub struct Parcel<'m> {
    /// The address.
    pub to: &'m str,
    /// Names the message for ever; without angle brackets.
    pub message_id: &'m str,
    /// Its bytes.
    pub message: &'m [u8],
    /// Called when the other side is there and ready, and before it gets the message: what happens after that, nobody may know.
    pub hand_over: &'m mut dyn FnMut() -> Result<()>,
}

/// What became of a message that was handed over. A connection is closed when this is dropped.
pub struct Handed {
    /// What became of it.
    pub outcome: Outcome,
    #[cfg(feature = "remote")]
    _goodbye: Option<smtp::Goodbye>,
}

impl From<Outcome> for Handed {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            #[cfg(feature = "remote")]
            _goodbye: None,
        }
    }
}

impl Mail {
    /// Refuses settings that say nothing clear.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`].
    pub fn check(&self) -> Result<()> {
        let wrong = |message: &str, hint: &str| Err(Error::Usage { message: message.to_owned(), hint: Some(hint.to_owned()) });
        let ways = [self.server.is_some(), self.sendmail.is_some(), self.directory.is_some()];
        match ways.into_iter().filter(|given| *given).count() {
            0 => return wrong("nothing says how mail leaves", HINT),
            1 => {}
            _ => return wrong("mail has more than one way to leave", "give one of server, sendmail and directory"),
        }
        address(&self.from).map_err(|e| Error::Usage { message: format!("mail.from: {e}"), hint: Some(HINT.to_owned()) })?;
        if let Some(server) = &self.server {
            place(server, self.security)?;
        }
        let has_password = self.password_file.is_some() || self.password_command.is_some();
        if self.user.is_some() != has_password {
            return wrong("a login needs a user and a password", "give user, and password_file or password_command");
        }
        if self.user.is_some() && self.security == Security::None {
            return wrong("a login on a plain connection gives the password away", "set security to starttls or tls");
        }
        Ok(())
    }

    /// The same, with paths that are beside the file in which they stand.
    #[must_use]
    pub fn beside(self, directory: &Path) -> Self {
        let joined = |path: Option<PathBuf>| path.map(|path| directory.join(path));
        // A program without a directory is looked for where programs are.
        let program = |path: PathBuf| if path.components().count() > 1 { directory.join(path) } else { path };
        Self {
            password_file: joined(self.password_file),
            ca_file: joined(self.ca_file),
            directory: joined(self.directory),
            sendmail: self.sendmail.map(program),
            ..self
        }
    }

    /// Refuses files that are not there; at night it would be too late.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], with the file.
    pub fn check_files(&self) -> Result<()> {
        for path in [&self.password_file, &self.ca_file].into_iter().flatten() {
            std::fs::metadata(path).map_err(|e| Error::io("cannot read what [mail] names,", path, e))?;
        }
        Ok(())
    }

    /// Sends a message to one address.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for settings that mean nothing, and [`Error::Io`] for a password or a certificate that cannot be read; the
    /// message was not handed to anybody.
    pub fn send(&self, parcel: Parcel<'_>) -> Result<Handed> {
        self.check()?;
        match (&self.server, &self.sendmail, &self.directory) {
            (Some(server), ..) => self.by_server(server, parcel),
            (_, Some(program), _) => Ok(local::sendmail(program, &self.from, parcel)?.into()),
            // Whether a file is there can always be seen.
            (_, _, directory) => {
                let directory = directory.as_deref().unwrap_or(Path::new("."));
                Ok(local::into_directory(directory, parcel.message_id, parcel.message).into())
            }
        }
    }

    /// Where it goes, in a few words.
    pub fn way(&self) -> String {
        let path = |path: &Option<PathBuf>| path.as_deref().map(Path::display).map(|path| path.to_string());
        self.server.clone().or_else(|| path(&self.sendmail)).or_else(|| path(&self.directory)).unwrap_or_default()
    }

    #[cfg(feature = "remote")]
    fn by_server(&self, server: &str, parcel: Parcel<'_>) -> Result<Handed> {
        smtp::send(self, server, parcel)
    }

    #[cfg(not(feature = "remote"))]
    fn by_server(&self, _: &str, _: Parcel<'_>) -> Result<Handed> {
        Err(Error::Usage {
            message: "this paperkin was built without the network".to_owned(),
            hint: Some("set mail.sendmail or mail.directory in place of mail.server".to_owned()),
        })
    }

    /// The password of the login. It comes from a file or a command, and never stands in an argument or a variable.
    #[cfg_attr(not(feature = "remote"), allow(dead_code))]
    fn password(&self) -> Result<&str> {
        if let Some(known) = self.known_password.get() {
            return Ok(known);
        }
        let text = match (&self.password_file, &self.password_command) {
            (Some(path), _) => std::fs::read_to_string(path).map_err(|e| Error::io("cannot read the password of mail from", path, e))?,
            (None, Some(command)) => printed(command)?,
            (None, None) => String::new(),
        };
        match text.lines().next().unwrap_or_default() {
            "" => Err(Error::usage("the password of mail is empty")),
            line => Ok(self.known_password.get_or_init(|| line.to_owned())),
        }
    }
}

/// Bytes of what prints it that are looked at.
const LONGEST_PASSWORD: u64 = 1 << 16;

const HINT: &str = "in paperkin.toml or the job's file: [mail], from = \"Name <you@example.org>\", and server = \"mail.example.org\", sendmail = PROGRAM or directory = DIR";

/// The name and the port of a server.
fn place(server: &str, security: Security) -> Result<(String, u16)> {
    let usual = match security {
        Security::Starttls => 587,
        Security::Tls => 465,
        Security::None => 25,
    };
    let wrong = || Error::usage(format!("no mail server {server:?}; expected a name, perhaps with a port, as mail.example.org:587 or [::1]:587"));
    // An IPv6 address has colons of its own, and stands in brackets.
    let (host, port) = match server.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').or_else(|| port.is_empty().then_some("")).ok_or_else(wrong)?),
        None => server.split_once(':').unwrap_or((server, "")),
    };
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_') || (c == ':' && server.starts_with('['));
    match (host.is_empty() || !host.chars().all(is_name), port) {
        (false, "") if !server.ends_with(':') => Ok((host.to_owned(), usual)),
        (false, port) => Ok((host.to_owned(), port.parse().map_err(|_| wrong())?)),
        _ => Err(wrong()),
    }
}

/// What a command prints.
fn printed(command: &str) -> Result<String> {
    /// A command that waits for somebody who is asleep is not waited for.
    const PATIENCE: Duration = Duration::from_secs(60);
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let failed = |e| Error::io("cannot run", Path::new(shell), e);
    let mut printed = tempfile::tempfile().map_err(failed)?;
    let stdout = printed.try_clone().map_err(failed)?;
    let mut child = quiet(Command::new(shell).arg(flag).arg(command)).stdout(stdout).stderr(Stdio::inherit()).spawn().map_err(failed)?;
    // The command itself may hold what is not for a log.
    match local::ended(&mut child, PATIENCE).map_err(failed)? {
        Some(status) if status.success() => {}
        Some(status) => return Err(Error::usage(format!("the command for the password of mail failed ({status})"))),
        None => return Err(Error::usage(format!("the command for the password of mail did not end in {} seconds", PATIENCE.as_secs()))),
    }
    let mut text = String::new();
    printed.rewind().and_then(|()| printed.take(LONGEST_PASSWORD).read_to_string(&mut text)).map_err(|e| match e.kind() {
        std::io::ErrorKind::InvalidData => Error::usage("the command for the password of mail prints no text"),
        _ => failed(e),
    })?;
    Ok(text)
}

/// Without secrets that are not for it, and without what is typed.
fn quiet(command: &mut Command) -> &mut Command {
    command.env_remove("HF_TOKEN").env_remove("HUGGING_FACE_HUB_TOKEN").stdin(Stdio::null())
}
