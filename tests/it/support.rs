//! What the tests share: the program under test, small models, directories that go away.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A file of this repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The folder of real data, where there is one; a skip says so.
pub(crate) fn shared(test: &str) -> Option<PathBuf> {
    let found = std::env::var_os("PAPERKIN_SHARED").map(PathBuf::from).filter(|path| path.is_dir());
    if found.is_none() {
        eprintln!("skipped {test}: PAPERKIN_SHARED does not name the folder of real data");
    }
    found
}

/// A library of its own for one test, and the program that works on it, with the tiny model unless told otherwise.
pub(crate) struct Kin {
    pub(crate) directory: tempfile::TempDir,
    model: PathBuf,
}

/// What the program did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Kin {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), model: repository("tests/fixtures/tiny-bert") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The program, cut off from the settings of whoever runs the tests.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paperkin"));
        command.args(args).current_dir(self.directory.path()).env_clear();
        command.env("PAPERKIN_LIBRARY", self.path("library")).env("PAPERKIN_MODEL", &self.model).env("HOME", self.directory.path());
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        ran(self.command(args).output().unwrap())
    }

    pub(crate) fn run_with_input(&self, args: &[&str], input: &[u8]) -> Ran {
        use std::io::Write;
        let mut child = self.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        // A program that has seen enough need not read the rest.
        let _ = writer.join().unwrap();
        ran(output)
    }

    /// All papers of the library, in a file.
    pub(crate) fn export(&self) -> PathBuf {
        let path = self.path("exported.jsonl");
        assert_eq!(self.run(&["export", "-o", path.to_str().unwrap()]).code, 0);
        path
    }

    /// Runs, expects success, and reads what it wrote as JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{args:?}: {e}: {ran:?}"))
    }
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran { code: output.status.code().unwrap_or(-1), out: String::from_utf8(output.stdout).unwrap(), err: String::from_utf8(output.stderr).unwrap() }
}

/// `count` papers as JSON lines, each with a text of its own.
pub(crate) fn papers(count: usize) -> String {
    const WORDS: [&str; 12] =
        ["neural", "quantum", "graph", "protein", "galaxy", "market", "language", "vision", "proof", "climate", "robot", "network"];
    let word = |i: usize| WORDS[i % WORDS.len()];
    let text = |i: usize| (0..20).map(|k| word(i * 7 + k * k + i / 12)).collect::<Vec<_>>().join(" ");
    (0..count)
        .map(|i| {
            format!(
                "{{\"id\": \"{:04}.{:05}\", \"title\": \"Paper {i} on {} and {}\", \"abstract\": \"{} {i}.\"}}\n",
                2001 + i / 90_000,
                i,
                word(i),
                word(i / 12),
                text(i)
            )
        })
        .collect()
}

/// What made vectors of no meaning, with so many numbers.
pub(crate) fn space(dim: usize) -> paperkin::vector::Space {
    let text = || "x".to_owned();
    paperkin::vector::Space {
        model: text(),
        revision: None,
        weights_sha256: text(),
        tokenizer_sha256: text(),
        config_sha256: text(),
        pooling: text(),
        prompt: String::new(),
        max_tokens: 8,
        text_template: text(),
        dim,
        precision: text(),
        device: text(),
        path: text(),
    }
}

/// The cosine of two vectors.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt())
}

/// The records of a file of JSON lines.
pub(crate) fn records(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The vector in a reference record.
pub(crate) fn vector(record: &Value) -> Vec<f32> {
    record["vector"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

/// Copies the tiny BERT into a directory.
pub(crate) fn copy_model(to: &Path) {
    let from = repository("tests/fixtures/tiny-bert");
    for entry in walkdir::WalkDir::new(&from) {
        let entry = entry.unwrap();
        let target = to.join(entry.path().strip_prefix(&from).unwrap());
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(target).unwrap();
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Vectors as `paperkin export --vectors` writes them: NumPy's format 1.0, rows of f32.
pub(crate) fn npy(path: &Path) -> paperkin::vector::Vectors {
    let bytes = std::fs::read(path).unwrap();
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8_lossy(&bytes[10..start]).into_owned();
    let dim = header.split("shape': (").nth(1).and_then(|shape| shape.split([',', ')']).nth(1)).unwrap().trim().parse().unwrap();
    let numbers = bytes[start..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    paperkin::vector::Vectors::from_rows(dim, numbers)
}
