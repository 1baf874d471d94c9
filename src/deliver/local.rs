//! Mail without a server of ours: a program that takes it as sendmail does, a directory, a file.

use std::io::{Read, Seek, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Outcome, Parcel, message, quiet};
use crate::error::{Error, Result};

/// Of what a program says, so much is told.
const TOLD: usize = 200;
/// Exit codes of `sysexits.h` after which the same message is refused again: wrong data, no such user, no such host.
const NEVER: [i32; 3] = [65, 67, 68];

/// How long it may take to read a message and to end.
const PATIENCE: Duration = Duration::from_secs(600);

pub(super) fn sendmail(program: &Path, from: &str, parcel: Parcel<'_>) -> Result<Outcome> {
    let (from, to) = (message::address(from)?, message::address(parcel.to)?);
    let failed = |e| Error::io("cannot run", program, e);
    // What it says goes into a file: a pipe would be full some time, or be held open by what it leaves running.
    let mut said = tempfile::tempfile().map_err(failed)?;
    let stderr = said.try_clone().map_err(failed)?;
    (parcel.hand_over)()?;
    let mut command = Command::new(program);
    let child = quiet(&mut command).args(["-i", "-f", &from, "--", &to]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(stderr).spawn();
    // It has nothing.
    let Ok(mut child) = child else { return Ok(Outcome::Later(format!("{} cannot be run", program.display()))) };
    let (sender, written) = mpsc::channel();
    let (stdin, message) = (child.stdin.take(), parcel.message.to_vec());
    thread::spawn(move || {
        let written = stdin.map_or(Ok(()), |mut stdin| stdin.write_all(&message));
        // Nobody may wait for it any more.
        let _ = sender.send(written.is_ok());
    });
    let status = ended(&mut child, PATIENCE).map_err(failed)?;
    let is_read = written.recv_timeout(Duration::from_secs(1)).unwrap_or(false);
    let mut text = Vec::new();
    said.rewind().and_then(|()| said.take(4 * TOLD as u64).read_to_end(&mut text)).map_err(failed)?;
    let text: String = String::from_utf8_lossy(&text).trim().chars().take(TOLD).collect();
    let ended = status.map_or_else(|| format!("did not end in {} seconds", PATIENCE.as_secs()), |status| format!("ended with {status}"));
    let told = format!("{} {ended}: {text}", program.display());
    Ok(match status.map(|status| status.code()) {
        Some(Some(0)) if is_read => Outcome::Sent(String::new()),
        Some(Some(0)) => Outcome::Unknown(format!("{} ended before it had read the message", program.display())),
        Some(Some(code)) if NEVER.contains(&code) => Outcome::Never(told),
        Some(Some(_)) => Outcome::Later(told),
        // Killed, perhaps after it had taken the message.
        Some(None) | None => Outcome::Unknown(told),
    })
}

/// Waits for a program, not for ever: nothing if it had to be killed.
pub(super) fn ended(child: &mut Child, patience: Duration) -> std::io::Result<Option<ExitStatus>> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// A message that is there already was sent: its name is its message id.
pub(super) fn into_directory(directory: &Path, message_id: &str, message: &[u8]) -> Outcome {
    let name: String = message_id.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '@' | '_') { c } else { '_' }).collect();
    let path = directory.join(format!("{name}.eml"));
    if path.exists() {
        return Outcome::Sent(format!("{} was there already", path.display()));
    }
    match write(&path, message) {
        Ok(()) => Outcome::Sent(path.display().to_string()),
        Err(error) => Outcome::Later(error.to_string()),
    }
}

/// Writes a file as a whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(|e| Error::io("cannot make", directory, e))?;
    let failed = |e| Error::io("cannot write", path, e);
    let mut file = tempfile::Builder::new().prefix(".paperkin-").tempfile_in(directory).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}
