//! A model directory with its weights as f16: half the size, and the vectors agree to seven digits.

use std::fs;
use std::path::{Path, PathBuf};

use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Serialize;

use super::model::{ORIGIN, sha256};
use super::modules::{MODULES, WEIGHTS, damaged, model_files};
use crate::error::{Error, Result};

/// What a conversion did.
#[derive(Debug, Clone, Serialize)]
pub struct Converted {
    /// The model's name.
    pub model: String,
    /// SHA-256 of the original weights.
    pub source_sha256: String,
    /// SHA-256 of the weights as written.
    pub weights_sha256: String,
    /// Bytes before and after.
    pub bytes: (u64, u64),
    /// The largest difference of a weight.
    pub largest_difference: f32,
    /// The files written.
    pub files: Vec<PathBuf>,
}

/// Writes the model in `from` to the directory `to` with its f32 weights as f16, `origin.json` that says where it comes
/// from, and `SHA256SUMS`. Tensors that the model does not need (`position_ids`) are left out.
///
/// # Errors
///
/// [`Error::Usage`] if `to` exists already, [`Error::ModelDamaged`] if the model is not whole, or a weight is not
/// finite as f16.
pub fn convert(from: &Path, to: &Path, name: &str) -> Result<Converted> {
    if to.exists() {
        return Err(Error::usage(format!("{} exists already; give a directory that does not", to.display())));
    }
    let read = |file: &str| fs::read(from.join(file)).map_err(|e| Error::io("cannot read", &from.join(file), e));
    let (mut files, optional) = model_files(name, &read(MODULES)?)?;
    files.extend(optional.into_iter().filter(|file| from.join(file).exists()));
    files.sort();
    let weights = files.iter().find(|file| file.ends_with(WEIGHTS)).cloned().unwrap_or_else(|| WEIGHTS.to_owned());
    let original = read(&weights)?;
    let (half, largest_difference) = halve(name, &original)?;

    let mut written: Vec<(String, Vec<u8>)> = Vec::new();
    for file in files.iter().filter(|file| **file != weights) {
        written.push((file.clone(), read(file)?));
    }
    let converted = Converted {
        model: name.to_owned(),
        source_sha256: sha256(&original),
        weights_sha256: sha256(&half),
        bytes: (original.len() as u64, half.len() as u64),
        largest_difference,
        files: Vec::new(),
    };
    written.push((weights, half));
    written.push((ORIGIN.to_owned(), origin(&converted)));
    written.sort();
    let sums: String = written.iter().map(|(file, bytes)| format!("{}  {file}\n", sha256(bytes))).collect();
    written.push(("SHA256SUMS".to_owned(), sums.into_bytes()));

    let files = written.iter().map(|(file, bytes)| write(&to.join(file), bytes)).collect::<Result<_>>()?;
    Ok(Converted { files, ..converted })
}

fn write(path: &Path, bytes: &[u8]) -> Result<PathBuf> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|e| Error::io("cannot make", parent, e))?;
    fs::write(path, bytes).map_err(|e| Error::io("cannot write", path, e))?;
    Ok(path.to_path_buf())
}

fn origin(converted: &Converted) -> Vec<u8> {
    let origin = serde_json::json!({
        "model": converted.model,
        "weights": "f16",
        "original_weights_sha256": converted.source_sha256,
        "made_by": format!("paperkin model convert DIRECTORY {} --name {}", converted.model.rsplit('/').next().unwrap_or_default(), converted.model),
    });
    format!("{origin:#}\n").into_bytes()
}

/// The weights with every f32 tensor as f16, and the largest difference that this makes.
fn halve(model: &str, bytes: &[u8]) -> Result<(Vec<u8>, f32)> {
    let wrong = |e: safetensors::SafeTensorError| damaged(model, format!("{WEIGHTS}: {e}"));
    let tensors = SafeTensors::deserialize(bytes).map_err(wrong)?;
    let mut largest = 0f32;
    let mut halves: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, view) in tensors.tensors() {
        match view.dtype() {
            Dtype::F32 => {
                let numbers = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                let mut data = Vec::with_capacity(view.data().len() / 2);
                for x in numbers {
                    let rounded = f16::from_f32(x);
                    if !rounded.is_finite() {
                        return Err(damaged(model, format!("{name} holds {x}, which f16 cannot")));
                    }
                    largest = largest.max((rounded.to_f32() - x).abs());
                    data.extend_from_slice(&rounded.to_le_bytes());
                }
                halves.push((name, Dtype::F16, view.shape().to_vec(), data));
            }
            Dtype::F16 | Dtype::BF16 => halves.push((name, view.dtype(), view.shape().to_vec(), view.data().to_vec())),
            // Buffers of whole numbers, such as position_ids, are no weights.
            _ => {}
        }
    }
    let views = halves.iter().map(|(name, dtype, shape, data)| Ok((name, TensorView::new(*dtype, shape.clone(), data)?)));
    let views = views.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    let metadata = Some([("format".to_owned(), "pt".to_owned())].into());
    let bytes = safetensors::serialize(views, metadata).map_err(wrong)?;
    Ok((bytes, largest))
}
