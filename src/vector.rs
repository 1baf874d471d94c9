//! Vectors in rows, and the space that they live in.
//!
//! Two vectors may be compared only if one [`Space`] made them; [`Space::differs_from`] says whether, and why not.

use serde::{Deserialize, Serialize};

/// The number of a row of [`Vectors`], from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(pub u32);

impl RowId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A row-major matrix: `len` vectors of `dim` numbers each.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    dim: usize,
    data: Vec<f32>,
}

impl Vectors {
    /// No vectors yet, of `dim` numbers each; `dim` must not be 0.
    pub fn new(dim: usize) -> Self {
        assert!(dim > 0, "a vector has at least one number");
        Self { dim, data: Vec::new() }
    }

    /// Takes `data` as rows of `dim`; its length must be a multiple of `dim`.
    pub fn from_rows(dim: usize, data: Vec<f32>) -> Self {
        assert!(dim > 0 && data.len().is_multiple_of(dim), "{} numbers are not rows of {dim}", data.len());
        Self { dim, data }
    }

    /// Numbers a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.data.len() / self.dim
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// One row.
    pub fn row(&self, row: RowId) -> &[f32] {
        &self.data[row.index() * self.dim..][..self.dim]
    }

    /// One row, to write.
    pub fn row_mut(&mut self, row: RowId) -> &mut [f32] {
        &mut self.data[row.index() * self.dim..][..self.dim]
    }

    /// All rows in order.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.data.chunks_exact(self.dim)
    }

    /// All numbers, row after row.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// Adds a row; its length must be `dim`.
    pub fn push(&mut self, row: &[f32]) {
        assert_eq!(row.len(), self.dim, "the row has another number of dimensions");
        self.data.extend_from_slice(row);
    }
}

/// The inner product, always summed in the same order: the same numbers give the same bytes.
///
/// Sixteen partial sums, so that the compiler can keep them in vector registers.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let (a_blocks, b_blocks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f32 = a_blocks.remainder().iter().zip(b_blocks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_blocks.zip(b_blocks) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + tail
}

/// Scales to length 1. A vector of length 0, or with a number that is not finite, is left as it is.
pub fn normalise(vector: &mut [f32]) {
    let length = dot(vector, vector).sqrt();
    if length > 0.0 && length.is_finite() {
        vector.iter_mut().for_each(|x| *x /= length);
    }
}

/// How the text of a paper is made, which the room `paper` does; part of what stamps a vector.
pub const TEXT_TEMPLATE: &str = "title. abstract";

/// What made a vector. Vectors of two spaces are never compared.
///
/// The first group must agree. The second is a record: it may differ only where that was measured not to change
/// a ranking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// The model's name, as people call it.
    pub model: String,
    /// The hub's commit, where the model came from the hub.
    pub revision: Option<String>,
    /// SHA-256 of the weights' file.
    pub weights_sha256: String,
    /// SHA-256 of the tokenizer's file.
    pub tokenizer_sha256: String,
    /// SHA-256 of the transformer's configuration, which says how the weights are used.
    pub config_sha256: String,
    /// `mean`, `cls`, `max` or `mean_sqrt_len`.
    pub pooling: String,
    /// What is put before a paper's text; mostly nothing.
    pub prompt: String,
    /// Longer texts are cut.
    pub max_tokens: usize,
    /// How a text is made of a paper.
    pub text_template: String,
    /// Numbers a vector.
    pub dim: usize,

    /// `exact` is f32, `fast` bf16, `turbo` int8.
    pub precision: String,
    /// `cpu`, `cuda` or `metal`.
    pub device: String,
    /// The code path: the processor's instructions that the packed encoder used, or `candle` for Candle's own models.
    pub path: String,
}

impl Space {
    /// The first thing that forbids comparing vectors of the two spaces, in words; `None` if nothing does.
    ///
    /// The name and the revision do not count: the weights' hash says more.
    pub fn differs_from(&self, other: &Self) -> Option<String> {
        let pairs = [
            ("weights", &self.weights_sha256, &other.weights_sha256),
            ("tokenizer", &self.tokenizer_sha256, &other.tokenizer_sha256),
            ("configuration", &self.config_sha256, &other.config_sha256),
            ("pooling", &self.pooling, &other.pooling),
            ("prompt", &self.prompt, &other.prompt),
            ("text template", &self.text_template, &other.text_template),
        ];
        let text = |what: &str, a: &str, b: &str| Some(format!("{what} {} against {}", shorten(a), shorten(b)));
        if let Some((what, a, b)) = pairs.into_iter().find(|(_, a, b)| a != b) {
            return text(what, a, b);
        }
        if self.max_tokens != other.max_tokens {
            return text("tokens", &self.max_tokens.to_string(), &other.max_tokens.to_string());
        }
        if self.dim != other.dim {
            return text("dimensions", &self.dim.to_string(), &other.dim.to_string());
        }
        None
    }

    /// The model's name with its revision, for messages.
    pub fn name(&self) -> String {
        match &self.revision {
            Some(revision) => format!("{}@{}", self.model, shorten(revision)),
            None => self.model.clone(),
        }
    }
}

fn shorten(text: &str) -> String {
    const SHOWN: usize = 12;
    match text.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None if text.is_empty() => "none".to_owned(),
        None => text.to_owned(),
    }
}
