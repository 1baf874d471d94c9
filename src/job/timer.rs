//! What makes a machine run a job every day: a systemd user timer, or a line of crontab. Texts in, texts out.

use std::path::Path;

use sha2::{Digest, Sha256};

/// When a job runs, and with which command.
#[derive(Debug, Clone)]
pub struct Timer<'t> {
    /// The job's file, absolute: jobs of one name in two places have two timers.
    pub job: &'t str,
    /// The program and its arguments; paths are absolute.
    pub command: Vec<String>,
    /// The hour and the minute.
    pub at: (u8, u8),
}

impl Timer<'_> {
    /// The name of the systemd units, without its ending: of the file's name what a unit may be called, and a mark of where it is.
    pub fn unit(&self) -> String {
        let stem = Path::new(self.job).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let plain: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' }).collect();
        let mark: String = Sha256::digest(self.job.as_bytes()).iter().take(3).map(|byte| format!("{byte:02x}")).collect();
        format!("paperkin-{plain}-{mark}")
    }

    /// The service that runs the job once.
    pub fn service(&self) -> String {
        let command = self.command.iter().map(|part| quoted_for_systemd(part)).collect::<Vec<_>>().join(" ");
        let name = self.job.replace(|c: char| c.is_control(), " ").replace('%', "%%");
        format!(
            "[Unit]\nDescription=paperkin: {name}\n\n[Service]\nType=oneshot\nExecStart={command}\n\
             # SIGTERM ends it at a clean point; the next run goes on from there.\nTimeoutStartSec=6h\nTimeoutStopSec=120\nNice=10\n"
        )
    }

    /// The timer that starts the service every day, also when the machine was off at that time.
    pub fn timer(&self) -> String {
        let (hour, minute) = self.at;
        format!(
            "[Unit]\nDescription=paperkin: every day\n\n[Timer]\nOnCalendar=*-*-* {hour:02}:{minute:02}:00 UTC\nPersistent=true\n\
             # Not all machines of the world ask the same servers in the same second.\nRandomizedDelaySec=300\n\n[Install]\nWantedBy=timers.target\n"
        )
    }

    /// A crontab with the job's line, in place of one that is there.
    pub fn in_crontab(&self, crontab: &str) -> String {
        let (hour, minute) = self.at;
        let command = self.command.iter().map(|part| quoted_for_cron(part)).collect::<Vec<_>>().join(" ");
        let others = self.not_in_crontab(crontab);
        let end = if others.is_empty() || others.ends_with('\n') { "" } else { "\n" };
        format!("{others}{end}{minute} {hour} * * * {command} # {}\n", self.unit())
    }

    /// A crontab without the job's line; all else stays as it is.
    pub fn not_in_crontab(&self, crontab: &str) -> String {
        let mark = format!(" # {}", self.unit());
        crontab.split_inclusive('\n').filter(|line| !line.trim_end().ends_with(&mark)).collect()
    }
}

/// A path that a timer may run from anywhere.
pub fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).to_string_lossy().into_owned()
}

/// systemd.service(5), command lines: in double quotes, with `\`, `"`, `%` and `$` as themselves.
fn quoted_for_systemd(part: &str) -> String {
    let mut out = String::from("\"");
    for c in part.chars() {
        match c {
            '\\' | '"' => out.extend(['\\', c]),
            '%' | '$' => out.extend([c, c]),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out + "\""
}

/// crontab(5): a shell's single quotes; a percent sign would end the command even in them.
fn quoted_for_cron(part: &str) -> String {
    shell_quoted(part).replace('%', "\\%")
}

/// A word as a shell is to be told it.
pub(super) fn shell_quoted(part: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.=,:+@".contains(c);
    let text = part.replace(['\n', '\r'], " ");
    if !text.is_empty() && text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_and_goes_and_others_stay() {
        let timer = |at| Timer {
            job: "/home/a/my night.toml",
            command: vec!["/opt/paper kin/paperkin".into(), "run".into(), "/home/a/50%'s.toml".into()],
            at,
        };
        let before = "MAILTO=a@example.org\n0 1 * * * other\n";
        let with = timer((3, 5)).in_crontab(before);
        assert_eq!(with, format!("{before}5 3 * * * '/opt/paper kin/paperkin' run '/home/a/50\\%'\\''s.toml' # {}\n", timer((3, 5)).unit()));
        assert!(timer((3, 5)).unit().starts_with("paperkin-my-night-"));
        assert_eq!(timer((4, 0)).in_crontab(&with).lines().count(), 3);
        assert_eq!(timer((3, 5)).not_in_crontab(&with), before);
        assert!(timer((0, 0)).in_crontab("0 1 * * * other").starts_with("0 1 * * * other\n0 0 * * * "));
        assert!(timer((3, 5)).service().contains("ExecStart=\"/opt/paper kin/paperkin\" \"run\" \"/home/a/50%%'s.toml\"\n"));
        assert!(timer((3, 5)).timer().contains("OnCalendar=*-*-* 03:05:00 UTC\n"));
    }
}
