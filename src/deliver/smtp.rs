//! A server that takes mail, by SMTP (RFC 5321). What the server said decides what becomes of the message: 4xx is later, 5xx is
//! never. A connection that ends before the message was handed over is later; one that ends after it, before the server answered,
//! leaves it open whether it was taken.

use std::path::Path;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::transport::smtp::response::Severity;

use super::message::mailbox;
use super::{Handed, Mail, Outcome, Parcel, Security, place};
use crate::error::{Error, Result};

/// How long the server may be silent, and how long when it has the whole message (RFC 5321, 4.5.3.2): who ends before is sent it twice.
const PATIENCE: Duration = Duration::from_secs(60);
const PATIENCE_AT_THE_END: Duration = Duration::from_secs(600);

/// A connection that says goodbye when it is dropped: not before what the server said was noted, as that may take a while.
pub(super) struct Goodbye(SmtpConnection);

impl Drop for Goodbye {
    fn drop(&mut self) {
        // Whether it answers does not matter any more.
        let _ = self.0.set_timeout(Some(Duration::from_secs(5)));
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

pub(super) fn send(mail: &Mail, server: &str, parcel: Parcel<'_>) -> Result<Handed> {
    let (host, port) = place(server, mail.security)?;
    let (from, to) = (mailbox(&mail.from)?.email, mailbox(parcel.to)?.email);
    let credentials = match &mail.user {
        Some(user) => Some(Credentials::new(user.clone(), mail.password()?.to_owned())),
        None => None,
    };
    let tls = if mail.security == Security::None { None } else { Some(tls(mail, &host)?) };
    let hello = ClientId::Domain(from.domain().to_owned());
    let mut connection = match connect(mail.security, (&host, port), &hello, (tls.as_ref(), credentials.as_ref())) {
        Ok(connection) => connection,
        // That a login is refused says nothing of the message.
        Err(what) => return Ok(Outcome::Later(what).into()),
    };
    let is_wide = [&to, &from].iter().any(|address| !address.to_string().is_ascii());
    if is_wide && !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
        connection.abort();
        return Ok(Outcome::Never(format!("{server} takes no addresses with letters beyond ASCII")).into());
    }
    let parameters = if is_wide { vec![MailParameter::SmtpUtfEight] } else { Vec::new() };
    // That the sender is refused says nothing of the message.
    if let Err(error) = connection.command(MailFrom::new(Some(from), parameters)) {
        return Ok(Handed { outcome: Outcome::Later(said(&error, server)), _goodbye: Some(Goodbye(connection)) });
    }
    let ready = connection.command(Rcpt::new(to, Vec::new())).and_then(|_| connection.command(Data));
    let refused = match ready {
        Ok(response) if response.has_code(354) => None,
        Ok(_) => Some(Outcome::Later(format!("{server}: it says neither yes nor no to a message"))),
        Err(error) if error.is_permanent() => Some(Outcome::Never(said(&error, server))),
        Err(error) => Some(Outcome::Later(said(&error, server))),
    };
    if let Some(outcome) = refused {
        return Ok(Handed { outcome, _goodbye: Some(Goodbye(connection)) });
    }
    (parcel.hand_over)()?;
    // If it cannot be set, the shorter one is kept.
    let _ = connection.set_timeout(Some(PATIENCE_AT_THE_END));
    let outcome = match connection.command(Content(parcel.message)) {
        Ok(response) if response.code().severity == Severity::PositiveCompletion => Outcome::Sent(response.message().collect::<Vec<_>>().join(" ")),
        Ok(_) => Outcome::Unknown(format!("{server}: it does not say that it has the message")),
        Err(error) if error.is_permanent() => Outcome::Never(said(&error, server)),
        Err(error) if error.is_transient() => Outcome::Later(said(&error, server)),
        Err(error) => Outcome::Unknown(said(&error, server)),
    };
    Ok(Handed { outcome, _goodbye: Some(Goodbye(connection)) })
}

/// A connection that is encrypted if it is to be, with a login if there is one; or what is wrong.
fn connect(
    security: Security,
    place: (&str, u16),
    hello: &ClientId,
    (tls, credentials): (Option<&TlsParameters>, Option<&Credentials>),
) -> Result<SmtpConnection, String> {
    let server = format!("{}:{}", place.0, place.1);
    let wrong = |error| said(&error, &server);
    let from_the_start = tls.filter(|_| security == Security::Tls);
    let mut connection = SmtpConnection::connect(place, Some(PATIENCE), hello, from_the_start, None).map_err(wrong)?;
    if let Some(tls) = tls.filter(|_| security == Security::Starttls) {
        // A server that does not offer it is an error: what is meant to be encrypted is not sent in the open.
        connection.starttls(tls, hello).map_err(wrong)?;
        if !is_silent(&mut connection) {
            connection.abort();
            return Err(format!("{server}: it answers what was not asked: somebody in between may speak in its place"));
        }
    }
    if let Some(credentials) = credentials {
        connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).map_err(wrong)?;
    }
    Ok(connection)
}

/// True if nothing comes unasked. What came in the open together with the answer to STARTTLS would be taken for answers in the encrypted
/// connection, so that whoever is in between could answer in the server's place; then some answer is there now.
fn is_silent(connection: &mut SmtpConnection) -> bool {
    let _ = connection.set_timeout(Some(Duration::from_millis(250)));
    let is_silent = connection.read_response().is_err_and(|error| is_silence(&error));
    let _ = connection.set_timeout(Some(PATIENCE));
    is_silent
}

fn is_silence(error: &lettre::transport::smtp::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    let io = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| matches!(io.kind(), TimedOut | WouldBlock))
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
    if is_silence(error) {
        return format!("{server} was silent for too long");
    }
    // The cause is where the text of a connection's error stands.
    let cause = std::error::Error::source(error).map(ToString::to_string).filter(|cause| !error.to_string().contains(cause));
    let text = format!("{error}{}", cause.map(|cause| format!(": {cause}")).unwrap_or_default());
    let means = match &text {
        text if text.contains("CaUsedAsEndEntity") => {
            " (the server shows an authority's certificate, as `openssl req -x509` makes one, and no server's)"
        }
        text if text.contains("InvalidContentType") => " (the port is not one for security = \"tls\"; perhaps it is one for \"starttls\")",
        _ => "",
    };
    format!("{server}: {text}{means}")
}
