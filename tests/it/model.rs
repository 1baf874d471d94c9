//! The encoder against sentence-transformers, by committed numbers; `tests/fixtures/reference.py` made them.

use paperkin::embed::{Device, Embedder, Model, Precision, Role};
use paperkin::vector::RowId;
use serde_json::Value;

use crate::support::{cosine, records, repository, vector};

fn load(model: Model) -> Embedder {
    Embedder::load(model, Device::Cpu, Precision::Exact).unwrap()
}

/// The text of a reference record.
fn text(record: &Value, sample: &[Value]) -> String {
    if let Some(text) = record["text"].as_str() {
        return text.to_owned();
    }
    if let Some([text, times]) = record["text_repeat"].as_array().map(Vec::as_slice) {
        return text.as_str().unwrap().repeat(times.as_u64().unwrap() as usize);
    }
    let paper = sample.iter().find(|paper| paper["id"] == record["id"]).unwrap_or_else(|| panic!("{} is not in the sample", record["id"]));
    format!("{}. {}", paper["title"].as_str().unwrap().trim_end_matches('.'), paper["abstract"].as_str().unwrap())
}

#[test]
#[cfg(feature = "embedded-model")]
fn the_built_in_model_agrees_with_sentence_transformers() {
    let embedder = load(Model::built_in().unwrap());
    let sample = records(&repository("data/sample.jsonl"));
    let reference = records(&repository("tests/fixtures/reference.jsonl"));
    assert!(reference.len() >= 12);
    let texts: Vec<String> = reference.iter().map(|record| text(record, &sample)).collect();
    let vectors = embedder.embed(&texts.iter().map(String::as_str).collect::<Vec<_>>(), Role::Document).unwrap();
    for (i, record) in reference.iter().enumerate() {
        let cosine = cosine(vectors.row(RowId(i as u32)), &vector(record));
        assert!(cosine >= 0.9999, "{}: {cosine}", texts[i].chars().take(60).collect::<String>());
    }
}

#[test]
fn a_directory_agrees_with_sentence_transformers() {
    let embedder = load(Model::from_directory(&repository("tests/fixtures/tiny-bert"), None, None).unwrap());
    let reference = records(&repository("tests/fixtures/tiny-bert.jsonl"));
    let texts: Vec<&str> = reference.iter().map(|record| record["text"].as_str().unwrap()).collect();
    let vectors = embedder.embed(&texts, Role::Document).unwrap();
    for (i, record) in reference.iter().enumerate() {
        let cosine = cosine(vectors.row(RowId(i as u32)), &vector(record));
        assert!(cosine >= 0.99999, "{}: {cosine}", texts[i]);
    }
}

#[test]
fn a_vector_does_not_depend_on_its_neighbours() {
    let embedder = load(Model::from_directory(&repository("tests/fixtures/tiny-bert"), None, None).unwrap());
    let texts: Vec<String> = (0..40).map(|i| "graph neural network ".repeat(1 + i * 7 % 13) + &i.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let together = embedder.embed(&texts, Role::Document).unwrap();
    for (i, text) in texts.iter().enumerate() {
        let alone = embedder.embed(&[text], Role::Document).unwrap();
        assert_eq!(alone.row(RowId(0)), together.row(RowId(i as u32)), "{text}");
    }
}

#[test]
fn what_cannot_be_run_is_refused_by_name() {
    let cases = [
        ("modules.json", "\"Pooling\"", "\"Dense\"", "Dense"),
        ("config.json", "\"bert\"", "\"roberta\"", "roberta"),
        ("config.json", "\"gelu\"", "\"silu\"", "silu"),
        ("config.json", "\"num_attention_heads\": 2", "\"num_attention_heads\": 0", "0 heads"),
    ];
    for (file, from, to, named) in cases {
        let copy = tempfile::tempdir().unwrap();
        copy_model(copy.path());
        let path = copy.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        // The type of a module ends with its name, whatever package it is in.
        let changed =
            if file == "modules.json" { text.replace("Pooling\"", "Dense\"").replace("1_Dense", "1_Pooling") } else { text.replace(from, to) };
        assert_ne!(changed, text, "{file}");
        std::fs::write(&path, changed).unwrap();
        let error = Model::from_directory(copy.path(), None, None).err().unwrap().to_string();
        assert!(error.contains(named) && error.contains("the model "), "{error}");
    }
}

#[test]
fn a_damaged_model_is_an_error_and_not_a_panic() {
    let copy = tempfile::tempdir().unwrap();
    copy_model(copy.path());
    let weights = copy.path().join("model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    let error = Embedder::load(Model::from_directory(copy.path(), None, None).unwrap(), Device::Cpu, Precision::Exact).err().unwrap();
    assert!(error.to_string().contains("damaged"), "{error}");
    std::fs::remove_file(&weights).unwrap();
    std::fs::write(copy.path().join("pytorch_model.bin"), b"x").unwrap();
    let error = Model::from_directory(copy.path(), None, None).err().unwrap().to_string();
    assert!(error.contains("model.safetensors") && error.contains("pytorch_model.bin"), "{error}");
}

#[test]
fn converting_halves_the_weights_and_keeps_the_vectors() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (repository("tests/fixtures/tiny-bert"), directory.path().join("half"));
    let converted = paperkin::embed::convert(&from, &to, "org/tiny").unwrap();
    assert!(converted.bytes.1 * 3 < converted.bytes.0 * 2, "{:?}", converted.bytes);
    let model = Model::from_directory(&to, None, None).unwrap();
    assert_eq!(model.space().model, "org/tiny");
    let (half, whole) = (load(model), load(Model::from_directory(&from, None, None).unwrap()));
    assert!(half.space().differs_from(whole.space()).unwrap().contains("weights"));
    let embed = |embedder: &Embedder| embedder.embed(&["graph neural network"], Role::Document).unwrap().row(RowId(0)).to_vec();
    assert!(cosine(&embed(&half), &embed(&whole)) > 0.9999);
    assert!(paperkin::embed::convert(&from, &to, "org/tiny").is_err(), "it must not write over a model");
}

fn copy_model(to: &std::path::Path) {
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
