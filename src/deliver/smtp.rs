//! A server that takes mail, by SMTP (RFC 5321). What the server said decides what becomes of the message: 4xx is later, 5xx is
//! never. A connection that ends before the message was handed over is later; one that ends after it, before the server answered,
//! leaves it open whether it was taken.

use std::path::Path;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};

use super::message::mailbox;
use super::{Handed, Mail, Outcome, Security};
use crate::error::{Error, Result};

/// How long the server may be silent, and how long when it has the whole message (RFC 5321, 4.5.3.2): who ends before is sent it twice.
const PATIENCE: Duration = Duration::from_secs(60);
const PATIENCE_AT_THE_END: Duration = Duration::from_secs(600);

type Smtp<T> = std::result::Result<T, lettre::transport::smtp::Error>;

/// A connection that says goodbye when it is dropped: not before what the server said was noted, as that may take a while.
pub(super) struct Goodbye(SmtpConnection);

impl Drop for Goodbye {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A message and its end, in one piece: in two, the second would wait for the first to be acknowledged, and a process that ends
/// meanwhile would leave both to be sent by the system.
struct Content<'m>(&'m [u8]);

impl std::fmt::Display for Content<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in String::from_utf8_lossy(self.0).lines() {
            // A line of a dot alone is the end; one that begins with a dot gets another (RFC 5321, 4.5.2).
            write!(f, "{}{line}\r\n", if line.starts_with('.') { "." } else { "" })?;
        }
        f.write_str(".\r\n")
    }
}

pub(super) fn send(mail: &Mail, server: &str, to: &str, message: &[u8]) -> Result<Handed> {
    let (host, port) = place(server, mail.security)?;
    let (from, to) = (mailbox(&mail.from)?.email, mailbox(to)?.email);
    let credentials = match &mail.user {
        Some(user) => Some(Credentials::new(user.clone(), mail.password()?)),
        None => None,
    };
    let tls = if mail.security == Security::None { None } else { Some(tls(mail, &host)?) };
    let hello = ClientId::Domain(from.domain().to_owned());
    let mut connection = match connect(mail.security, (&host, port), &hello, (tls.as_ref(), credentials.as_ref())) {
        Ok(connection) => connection,
        // That a login is refused says nothing of the message.
        Err(error) => return Ok(Outcome::Later(said(&error, server)).into()),
    };
    let wide = !to.to_string().is_ascii() || !from.to_string().is_ascii();
    let wide = wide && connection.server_info().supports_feature(Extension::SmtpUtfEight);
    let parameters = if wide { vec![MailParameter::SmtpUtfEight] } else { Vec::new() };
    let handed = connection
        .command(MailFrom::new(Some(from), parameters))
        .and_then(|_| connection.command(Rcpt::new(to, Vec::new())))
        .and_then(|_| connection.command(Data));
    // If it cannot be set, the shorter one is kept.
    let _ = connection.set_timeout(Some(PATIENCE_AT_THE_END));
    let outcome = match handed.map(|_| connection.command(Content(message))) {
        Err(error) if error.is_permanent() => Outcome::Never(said(&error, server)),
        Err(error) => Outcome::Later(said(&error, server)),
        Ok(Ok(response)) => Outcome::Sent(response.message().collect::<Vec<_>>().join(" ")),
        Ok(Err(error)) if error.is_permanent() => Outcome::Never(said(&error, server)),
        Ok(Err(error)) if error.is_transient() => Outcome::Later(said(&error, server)),
        Ok(Err(error)) => Outcome::Unknown(said(&error, server)),
    };
    let _ = connection.set_timeout(Some(PATIENCE));
    Ok(Handed { outcome, _goodbye: Some(Goodbye(connection)) })
}

fn connect(
    security: Security,
    place: (&str, u16),
    hello: &ClientId,
    (tls, credentials): (Option<&TlsParameters>, Option<&Credentials>),
) -> Smtp<SmtpConnection> {
    let from_the_start = tls.filter(|_| security == Security::Tls);
    let mut connection = SmtpConnection::connect(place, Some(PATIENCE), hello, from_the_start, None)?;
    if let Some(tls) = tls.filter(|_| security == Security::Starttls) {
        // A server that does not offer it is an error: what is meant to be encrypted is not sent in the open.
        connection.starttls(tls, hello)?;
    }
    if let Some(credentials) = credentials {
        connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials)?;
    }
    Ok(connection)
}

/// The name and the port of a server.
fn place(server: &str, security: Security) -> Result<(String, u16)> {
    let usual = match security {
        Security::Starttls => 587,
        Security::Tls => 465,
        Security::None => 25,
    };
    let wrong = || Error::usage(format!("no mail server {server:?}; expected a name, perhaps with a port, as mail.example.org:587"));
    match server.rsplit_once(':') {
        _ if server.contains("//") || server.trim().is_empty() => Err(wrong()),
        // An IPv6 address has colons of its own, and stands in brackets.
        Some((host, port)) if !port.ends_with(']') => Ok((host.trim_matches(['[', ']']).to_owned(), port.parse().map_err(|_| wrong())?)),
        _ => Ok((server.trim_matches(['[', ']']).to_owned(), usual)),
    }
}

fn tls(mail: &Mail, host: &str) -> Result<TlsParameters> {
    let wrong = |path: &Path, e: &dyn std::fmt::Display| Error::usage(format!("{}: no certificate can be read from it: {e}", path.display()));
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(path) = &mail.ca_file {
        let pem = std::fs::read(path).map_err(|e| Error::io("cannot read the certificate", path, e))?;
        if !String::from_utf8_lossy(&pem).contains("BEGIN CERTIFICATE") {
            return Err(wrong(path, &"it is not PEM"));
        }
        parameters = parameters.add_root_certificate(Certificate::from_pem(&pem).map_err(|e| wrong(path, &e))?);
    }
    parameters.build_rustls().map_err(|e| Error::usage(format!("no encrypted connection to {host} can be made: {e}")))
}

fn said(error: &lettre::transport::smtp::Error, server: &str) -> String {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    let cause = std::error::Error::source(error);
    let io = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>());
    if io.is_some_and(|io| matches!(io.kind(), TimedOut | WouldBlock)) {
        return format!("{server} was silent for too long");
    }
    // The cause is where the text of a connection's error stands.
    let cause = cause.map(ToString::to_string).filter(|cause| !error.to_string().contains(cause));
    format!("{server}: {error}{}", cause.map(|cause| format!(": {cause}")).unwrap_or_default())
}
