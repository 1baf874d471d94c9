//! Mail without a server of ours: a program that takes it as sendmail does, a directory, a file.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Outcome, message, quiet};
use crate::error::{Error, Result};

/// Of what a program says, so much is told.
const TOLD: usize = 200;
/// Exit codes of `sysexits.h` after which the same message is refused again: wrong data, no such user, no such host.
const NEVER: [i32; 3] = [65, 67, 68];

pub(super) fn sendmail(program: &Path, (from, to): (&str, &str), message: &[u8]) -> Result<Outcome> {
    let (from, to) = (message::address(from)?, message::address(to)?);
    let mut command = Command::new(program);
    quiet(&mut command).args(["-i", "-f", &from, "--", &to]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| Error::io("cannot run", program, e))?;
    let stdin = child.stdin.take();
    // Pipes hold little: whoever only wrote would wait for a program that waits for its reader.
    let (ran, written) = std::thread::scope(|scope| {
        // A program that has ended reads no more; why is in its status.
        let writer = scope.spawn(|| stdin.map_or(Ok(()), |mut stdin| stdin.write_all(message)));
        (child.wait_with_output(), writer.join().unwrap_or(Ok(())))
    });
    let ran = ran.map_err(|e| Error::io("cannot wait for", program, e))?;
    let said = String::from_utf8_lossy(&ran.stderr).trim().chars().take(TOLD).collect::<String>();
    let told = format!("{} ended with {}: {said}", program.display(), ran.status);
    Ok(match ran.status.code() {
        Some(0) if written.is_ok() => Outcome::Sent(String::new()),
        Some(0) => Outcome::Unknown(format!("{} ended before it had read the message", program.display())),
        Some(code) if NEVER.contains(&code) => Outcome::Never(told),
        Some(_) => Outcome::Later(told),
        // Killed, perhaps after it had taken the message.
        None => Outcome::Unknown(told),
    })
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
