//! The encoder against sentence-transformers, by committed numbers; `tests/fixtures/reference.py` made them.

use paperkin::embed::{Compute, Device, Embedder, Model, Precision, Role};
use paperkin::kernel::Instructions;
use paperkin::vector::RowId;
use serde_json::Value;

use crate::support::{copy_model, cosine, records, repository, vector};

const EXACT: Compute = Compute { device: Device::Cpu, precision: Precision::Exact, instructions: None };

fn load(model: Model) -> Embedder {
    Embedder::load(model, EXACT).unwrap()
}

fn tiny(name: &str) -> Model {
    Model::from_directory(&repository(&format!("tests/fixtures/{name}")), None, None).unwrap()
}

/// Every way of computing that this machine has, with the least cosine to f32 that it must reach with a tiny model.
fn computes() -> Vec<(Compute, f64)> {
    let sets = Instructions::ALL.into_iter().filter(|set| set.are_available());
    let precisions = [(Precision::Exact, 0.99999), (Precision::Fast, 0.998), (Precision::Turbo, 0.97)];
    sets.flat_map(|set| precisions.map(|(precision, least)| (Compute { instructions: Some(set), precision, ..EXACT }, least))).collect()
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
    let sample = records(&repository("data/sample.jsonl"));
    let reference = records(&repository("tests/fixtures/reference.jsonl"));
    assert!(reference.len() >= 12);
    let texts: Vec<String> = reference.iter().map(|record| text(record, &sample)).collect();
    let mut wrong = Vec::new();
    for (compute, _) in computes() {
        let least = match compute.precision {
            Precision::Exact => 0.9999,
            Precision::Fast => 0.999,
            // An empty text has two tokens; papers reach .997.
            _ => 0.99,
        };
        let embedder = Embedder::load(Model::built_in().unwrap(), compute).unwrap();
        let vectors = embedder.embed(&texts.iter().map(String::as_str).collect::<Vec<_>>(), Role::Document).unwrap();
        for (i, record) in reference.iter().enumerate() {
            let cosine = cosine(vectors.row(RowId(i as u32)), &vector(record));
            if cosine < least {
                wrong.push(format!("{compute:?} {:?}: {cosine}", texts[i].chars().take(60).collect::<String>()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Models of every architecture, by sentence-transformers; `tests/fixtures/tiny_models.py` made them.
const TINY: [&str; 7] = ["tiny-bert", "tiny-bert-cls", "tiny-roberta", "tiny-xlm-roberta", "tiny-distilbert", "tiny-modernbert", "tiny-nomic-bert"];

#[test]
fn every_architecture_agrees_with_sentence_transformers() {
    let mut wrong = Vec::new();
    for name in TINY {
        let reference = records(&repository(&format!("tests/fixtures/{name}.jsonl")));
        for (compute, least) in computes() {
            let embedder = Embedder::load(tiny(name), compute).unwrap();
            for record in &reference {
                let text = record["text"].as_str().unwrap();
                let role = if record["role"] == "query" { Role::Query } else { Role::Document };
                let cosine = cosine(embedder.embed(&[text], role).unwrap().row(RowId(0)), &vector(record));
                if cosine < least {
                    wrong.push(format!("{name} {compute:?} {role:?} {:?}: {cosine}", text.chars().take(40).collect::<String>()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_the_packed_encoder_cannot_run_is_said_in_a_line() {
    for name in TINY {
        let note = tiny(name).note(&Compute::default());
        let is_packed = name.contains("roberta") || name.starts_with("tiny-bert");
        assert_eq!(note.is_none(), is_packed, "{name}: {note:?}");
        let space = Embedder::load(tiny(name), Compute::default()).unwrap().space().clone();
        assert_eq!((space.path == "candle", space.precision == "exact"), (!is_packed, !is_packed), "{space:?}");
    }
}

/// Texts of 1 to some hundred words, the same at every run.
fn many_texts(count: usize) -> Vec<String> {
    (0..count).map(|i| "graph neural network ".repeat(i * i % 41) + &i.to_string()).collect()
}

#[test]
fn a_vector_does_not_depend_on_its_neighbours_or_on_threads() {
    let texts = many_texts(97);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for (name, (compute, _)) in TINY.into_iter().flat_map(|name| computes().into_iter().map(move |c| (name, c))) {
        let embedder = Embedder::load(tiny(name), compute).unwrap();
        let together = embedder.embed(&texts, Role::Document).unwrap();
        // Batches of every size, each from another place on, with one to five threads.
        let mut start = 0;
        for size in 1.. {
            let Some(batch) = texts.get(start..(start + size).min(texts.len())).filter(|batch| !batch.is_empty()) else { break };
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1 + size % 5).build().unwrap();
            let vectors = pool.install(|| embedder.embed(batch, Role::Document)).unwrap();
            for (i, text) in batch.iter().enumerate() {
                assert_eq!(vectors.row(RowId(i as u32)), together.row(RowId((start + i) as u32)), "{name} {compute:?}: {text}");
            }
            start += size;
        }
    }
}

#[test]
fn what_cannot_be_run_is_refused_by_name() {
    let cases = [
        ("modules.json", "\"Pooling\"", "\"Dense\"", "Dense"),
        ("config.json", "\"bert\"", "\"t5\"", "t5"),
        ("config.json", "\"gelu\"", "\"silu\"", "silu"),
        ("config.json", "\"num_attention_heads\": 2", "\"num_attention_heads\": 0", "num_attention_heads is 0"),
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
    let error = Embedder::load(Model::from_directory(copy.path(), None, None).unwrap(), EXACT).err().unwrap();
    assert!(error.to_string().contains("damaged"), "{error}");
    // The file's head begins with its length; what comes after it are numbers, none of which is one now.
    let head = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    std::fs::write(&weights, [&bytes[..head], &vec![0xff; bytes.len() - head]].concat()).unwrap();
    let error = Embedder::load(Model::from_directory(copy.path(), None, None).unwrap(), EXACT).err().unwrap();
    assert!(error.to_string().contains("not finite"), "{error}");
    std::fs::write(&weights, &bytes).unwrap();
    std::fs::write(copy.path().join("sentence_bert_config.json"), r#"{"max_seq_length": 2, "do_lower_case": false}"#).unwrap();
    let error = Embedder::load(Model::from_directory(copy.path(), None, None).unwrap(), EXACT).err().unwrap();
    assert!(error.to_string().contains("adds 2 tokens to each text, and the model takes 2 in all"), "{error}");
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
