//! A small SMTP server on this machine, with the faults that servers have. It stops by itself.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What is done with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Take,
    /// It takes the message, and says so only after a while.
    Slow,
    /// `451` after the message.
    Busy,
    /// `450` to the recipient: not yet, as greylisting says it.
    NotYet,
    /// `550` to the recipient.
    NoSuchUser,
    /// `554` after the message.
    Refuse,
    /// `250` where it ought to ask for the message.
    NoQuestion,
    /// `354` where it ought to say that it has it.
    NoAnswer,
    /// Gone as soon as the message begins.
    GoneWithin,
    /// It takes the message, and is gone before it says so.
    GoneAfter,
}

/// Takes mail on a port of this machine until it is dropped.
pub(crate) struct Post {
    pub(crate) address: SocketAddr,
    taken: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Post {
    /// `manner` is told how many connections came before.
    pub(crate) fn start(manner: impl Fn(usize) -> Manner + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (taken, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let connections = Arc::new(AtomicUsize::new(0));
        let thread = std::thread::spawn({
            let (taken, stop, connections) = (Arc::clone(&taken), Arc::clone(&stop), Arc::clone(&connections));
            move || {
                for stream in listener.incoming().map_while(std::io::Result::ok) {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let (taken, manner) = (Arc::clone(&taken), manner(connections.fetch_add(1, Ordering::SeqCst)));
                    // A client that was killed is no failure of the server.
                    std::thread::spawn(move || _ = serve(stream, manner, &taken));
                }
            }
        });
        Self { address, taken, connections, stop, thread: Some(thread) }
    }

    /// The messages that were taken, in their order.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }

    /// How often somebody came.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Settings by which mail goes here.
    pub(crate) fn settings(&self) -> String {
        format!("[mail]\nfrom = \"paperkin <kin@example.org>\"\nserver = \"{}\"\nsecurity = \"none\"\n", self.address)
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, manner: Manner, taken: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    stream.write_all(b"220 here\r\n")?;
    while let Some(line) = lines.next().transpose()? {
        let answer = match line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" => "250-here\r\n250 8BITMIME",
            "RCPT" if manner == Manner::NotYet => "450 4.7.1 greylisted, come back later",
            "RCPT" if manner == Manner::NoSuchUser => "550 5.1.1 no such user",
            "MAIL" | "RCPT" | "RSET" | "NOOP" => "250 well",
            "DATA" if manner == Manner::GoneWithin => return stream.write_all(b"354 go on\r\n"),
            "DATA" if manner == Manner::NoQuestion => "250 well",
            "DATA" => {
                stream.write_all(b"354 go on\r\n")?;
                let mut message = String::new();
                loop {
                    // A client that is gone in the middle has sent nothing.
                    let Some(line) = lines.next().transpose()? else { return Ok(()) };
                    if line == "." {
                        break;
                    }
                    message.push_str(line.strip_prefix('.').unwrap_or(&line));
                    message.push('\n');
                }
                if matches!(manner, Manner::Take | Manner::Slow | Manner::GoneAfter) {
                    taken.lock().unwrap().push(message);
                }
                if manner == Manner::Slow {
                    std::thread::sleep(std::time::Duration::from_millis(40));
                }
                match manner {
                    Manner::GoneAfter => return Ok(()),
                    Manner::NoAnswer => "354 go on",
                    Manner::Busy => "451 4.3.0 try again",
                    Manner::Refuse => "554 5.6.0 we do not like it",
                    _ => "250 taken",
                }
            }
            "QUIT" => {
                return stream.write_all(b"221 bye\r\n");
            }
            _ => "502 what?",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes())?;
    }
    Ok(())
}

/// A header of a message, unfolded.
pub(crate) fn header(message: &str, name: &str) -> String {
    let head = message.split("\n\n").next().unwrap_or_default().replace("\n ", " ");
    head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default().trim().to_owned()
}

/// The plain part of a message, decoded.
pub(crate) fn plain(message: &str) -> String {
    let part = message.split("Content-Type: text/plain").nth(1).unwrap_or_default();
    let body = part.split_once("\n\n").map(|(_, body)| body).unwrap_or_default().split("\n--=_").next().unwrap_or_default();
    if !part.split("\n\n").next().unwrap_or_default().contains("quoted-printable") {
        return body.to_owned();
    }
    let body = body.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = body.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, hex) {
            (b'=', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}
