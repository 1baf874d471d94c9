//! A small HTTP server on this machine, with the faults that servers have. It stops by itself.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut lines = BufReader::new(stream).lines().map_while(std::io::Result::ok);
        let path = lines.next()?.split(' ').nth(1)?.to_owned();
        let headers = lines
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())))
            .collect();
        Some(Self { path, headers })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The first byte that is wanted.
    pub(crate) fn from(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// How much of a body is sent, and what then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Whole,
    /// Half of it, and then the end.
    Cut,
    /// Half of it, and then silence.
    Stall,
    /// In chunks, without its length before it.
    Chunked,
    /// In chunks, and the last one never comes.
    ChunkedCut,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) manner: Manner,
}

impl Answer {
    pub(crate) fn new(status: u16, headers: Vec<(&'static str, String)>, body: &[u8]) -> Self {
        Self { status, headers, body: body.to_vec(), manner: Manner::Whole }
    }

    /// A file, or its end if that is what is wanted.
    pub(crate) fn file(request: &Request, mut headers: Vec<(&'static str, String)>, body: &[u8]) -> Self {
        match request.from() {
            Some(from) if from >= body.len() => Self::new(416, headers, b""),
            Some(from) => {
                headers.push(("Content-Range", format!("bytes {from}-{}/{}", body.len() - 1, body.len())));
                Self::new(206, headers, &body[from..])
            }
            None => Self::new(200, headers, body),
        }
    }

    fn send(&self, mut stream: TcpStream, stop: &AtomicBool) -> std::io::Result<()> {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = self.body.len();
        let is_chunked = matches!(self.manner, Manner::Chunked | Manner::ChunkedCut);
        let told = if is_chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {length}") };
        write!(stream, "HTTP/1.1 {} Said\r\nConnection: close\r\n{told}\r\n{headers}\r\n", self.status)?;
        if is_chunked {
            for chunk in self.body.chunks(1000) {
                write!(stream, "{:x}\r\n", chunk.len())?;
                stream.write_all(chunk)?;
                stream.write_all(b"\r\n")?;
            }
            return if self.manner == Manner::Chunked { stream.write_all(b"0\r\n\r\n") } else { stream.flush() };
        }
        let sent = if self.manner == Manner::Whole { length } else { length / 2 };
        stream.write_all(&self.body[..sent])?;
        stream.flush()?;
        while self.manner == Manner::Stall && !stop.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// Answers on a port of this machine until it is dropped, and remembers what it was asked.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, stop, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)), Arc::new(answer));
        let thread = std::thread::spawn({
            let (asked, stop) = (Arc::clone(&asked), Arc::clone(&stop));
            move || {
                for stream in listener.incoming().map_while(std::io::Result::ok) {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let (asked, stop, answer) = (Arc::clone(&asked), Arc::clone(&stop), Arc::clone(&answer));
                    std::thread::spawn(move || {
                        let Some(request) = Request::read(&stream) else { return };
                        asked.lock().unwrap().push(request.clone());
                        // A client that has heard enough hangs up, which is no failure of the server.
                        let _ = answer(&request).send(stream, &stop);
                    });
                }
            }
        });
        Self { address, asked, stop, thread: Some(thread) }
    }

    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // The thread waits for a connection, and looks at the flag after it.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
