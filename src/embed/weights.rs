//! Tensors of a safetensors file, by name.

use std::borrow::Cow;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::modules::{WEIGHTS, damaged};
use crate::error::Result;

/// The tensors of a model.
pub(super) struct Weights<'a> {
    model: &'a str,
    tensors: SafeTensors<'a>,
    /// What stands before every name in files that were saved with a head: `bert.`, `roberta.`
    prefix: String,
}

/// Rows of numbers in the file's own type, turned into f32 when they are asked for.
pub(super) struct Table {
    bytes: Cow<'static, [u8]>,
    dtype: Dtype,
    dim: usize,
}

impl<'a> Weights<'a> {
    /// Reads the file's head. `probe` is the name of a tensor that the model must have.
    pub(super) fn read(model: &'a str, bytes: &'a [u8], probe: &str) -> Result<Self> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| damaged(model, format!("{WEIGHTS}: {e}")))?;
        // Of several the shortest, and not the one that a hash happens to give first.
        let named = tensors.names().into_iter().filter_map(|name| name.strip_suffix(probe).map(str::to_owned));
        let named = named.min_by_key(|prefix| (prefix.len(), prefix.clone()));
        let prefix = named.ok_or_else(|| damaged(model, format!("{WEIGHTS} has no {probe}")))?;
        Ok(Self { model, tensors, prefix })
    }

    fn view(&self, name: &str, shape: &[usize]) -> Result<TensorView<'_>> {
        let wrong = |what: String| damaged(self.model, format!("{WEIGHTS}: {name} {what}"));
        let view = self.tensors.tensor(&format!("{}{name}", self.prefix)).map_err(|_| wrong("is missing".to_owned()))?;
        if view.shape() != shape {
            return Err(wrong(format!("has shape {:?}; expected {shape:?}", view.shape())));
        }
        match view.dtype() {
            Dtype::F32 | Dtype::F16 | Dtype::BF16 => Ok(view),
            other => Err(wrong(format!("has numbers of type {other:?}; paperkin reads f32, f16 and bf16"))),
        }
    }

    /// A tensor's numbers, row after row.
    pub(super) fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let view = self.view(name, shape)?;
        let (dtype, bytes) = (view.dtype(), view.data());
        let mut numbers = vec![0.0; bytes.len() / size(dtype)];
        let parts = bytes.par_chunks(STEP * size(dtype)).zip(numbers.par_chunks_mut(STEP));
        let are_finite = parts.map(|(bytes, numbers)| {
            convert(dtype, bytes, numbers);
            numbers.iter().all(|x| x.is_finite())
        });
        match are_finite.reduce(|| true, |a, b| a && b) {
            true => Ok(numbers),
            false => Err(damaged(self.model, format!("{WEIGHTS}: {name} has a number that is not finite"))),
        }
    }

    /// A table of `shape[1]` numbers a row. `whole` is the file, which is shared where it is in the binary.
    pub(super) fn table(&self, name: &str, shape: [usize; 2], whole: &Cow<'static, [u8]>) -> Result<Table> {
        let view = self.view(name, &shape)?;
        let bytes = match whole {
            Cow::Borrowed(whole) => {
                let start = view.data().as_ptr().addr() - whole.as_ptr().addr();
                Cow::Borrowed(&whole[start..][..view.data().len()])
            }
            Cow::Owned(_) => Cow::Owned(view.data().to_vec()),
        };
        Ok(Table { bytes, dtype: view.dtype(), dim: shape[1] })
    }
}

impl Table {
    /// Writes a row to the beginning of `to`.
    pub(super) fn read(&self, row: usize, to: &mut [f32]) {
        let bytes = self.dim * size(self.dtype);
        convert(self.dtype, &self.bytes[row * bytes..][..bytes], &mut to[..self.dim]);
    }
}

/// Numbers a step of a conversion: enough for its vectors, few enough for the stack.
const STEP: usize = 256;

/// Bytes a number.
fn size(dtype: Dtype) -> usize {
    if dtype == Dtype::F32 { 4 } else { 2 }
}

/// As many numbers as `to` has room for; the bytes need not be aligned.
fn convert(dtype: Dtype, bytes: &[u8], to: &mut [f32]) {
    for (to, bytes) in to.chunks_mut(STEP).zip(bytes.chunks(STEP * size(dtype))) {
        match dtype {
            Dtype::F32 => to.iter_mut().zip(bytes.chunks_exact(4)).for_each(|(x, b)| *x = f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            Dtype::F16 => halves(bytes, f16::from_le_bytes)[..to.len()].convert_to_f32_slice(to),
            _ => halves(bytes, bf16::from_le_bytes)[..to.len()].convert_to_f32_slice(to),
        }
    }
}

fn halves<H: Copy + Default>(bytes: &[u8], read: impl Fn([u8; 2]) -> H) -> [H; STEP] {
    let mut halves = [H::default(); STEP];
    halves.iter_mut().zip(bytes.chunks_exact(2)).for_each(|(half, b)| *half = read([b[0], b[1]]));
    halves
}
