//! How fast each format is read, beside how fast the same texts are embedded: `cargo bench --bench sources -- PAPERS.jsonl`.
//!
//! The papers of a file are written in every format, and read from memory on one thread, in turn, round by round. `turbo` embeds some of
//! them on all threads. What stands in a table is the median of the rounds.

use std::fmt::Write;
use std::time::Instant;

use paperkin::embed::{Compute, Embedder, Model, Role};
use paperkin::paper::Paper;
use paperkin::render::Exchange;
use paperkin::source::{self, Format, Item, Options};
use serde_json::{Value, json};

const PAPERS: usize = 10_000;
const EMBEDDED: usize = 400;
const ROUNDS: usize = 7;

fn main() {
    let file = std::env::args().skip(1).find(|arg| arg != "--bench").unwrap_or_else(|| "data/sample.jsonl".to_owned());
    let text = std::fs::read(&file).expect("a file of JSON lines");
    let papers: Vec<Paper> = read(&text, Format::Jsonl).take(PAPERS).collect();
    let documents = documents(&papers);
    let mut seconds = vec![Vec::new(); documents.len()];
    for _ in 0..ROUNDS {
        for ((_, format, document), seconds) in documents.iter().zip(&mut seconds) {
            let start = Instant::now();
            let found = read(document, *format).count();
            seconds.push(start.elapsed().as_secs_f64());
            assert_eq!(found, papers.len(), "{format:?}");
        }
    }
    let rate = embedded(&papers);
    println!("{} papers of {file}; turbo embeds {rate:.0} of them a second on {} threads", papers.len(), rayon::current_num_threads());
    println!("{:22}  {:>8}  {:>8}  {:>10}  {:>12}", "", "MB", "MB/s", "papers/s", "times turbo");
    for ((name, _, document), mut seconds) in documents.into_iter().zip(seconds) {
        seconds.sort_by(f64::total_cmp);
        let median = seconds[ROUNDS / 2];
        let (megabytes, papers) = (document.len() as f64 / 1e6, papers.len() as f64 / median);
        println!("{name:22}  {megabytes:8.1}  {:8.0}  {papers:10.0}  {:12.0}", megabytes / median, papers / rate);
    }
}

fn read(document: &[u8], format: Format) -> impl Iterator<Item = Paper> {
    let reader = source::open("x", document, &Options { expected: Some(format), ..Options::default() }).expect("a document");
    reader.filter_map(|item| if let Ok(Item::Paper(paper)) = item { Some(*paper) } else { None })
}

fn embedded(papers: &[Paper]) -> f64 {
    let model = Model::built_in().expect("the built-in model");
    let embedder = Embedder::load(model, Compute::default()).expect("an encoder");
    let texts: Vec<String> = papers.iter().take(EMBEDDED).map(Paper::embedding_text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut seconds: Vec<f64> = (0..3)
        .map(|_| {
            let start = Instant::now();
            embedder.embed(&texts, Role::Document).expect("vectors");
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    texts.len() as f64 / seconds[1]
}

/// The papers in every format, with its name.
fn documents(papers: &[Paper]) -> Vec<(String, Format, Vec<u8>)> {
    let exchange = |form: Exchange| form.header() + &papers.iter().map(|paper| form.record(paper)).collect::<String>();
    let jsonl = exchange(Exchange::Jsonl);
    let list = |paper: fn(&Paper) -> Value| Value::from(papers.iter().map(paper).collect::<Vec<_>>());
    let mut documents = vec![
        ("jsonl".to_owned(), Format::Jsonl, jsonl.clone().into_bytes()),
        ("jsonl, gzip".to_owned(), Format::Jsonl, gzip(jsonl.as_bytes())),
        ("jsonl, zstd".to_owned(), Format::Jsonl, zstd(jsonl.as_bytes())),
        ("csv".to_owned(), Format::Csv, exchange(Exchange::Csv).into_bytes()),
        ("bibtex".to_owned(), Format::Bibtex, exchange(Exchange::Bibtex).into_bytes()),
        ("ris".to_owned(), Format::Ris, exchange(Exchange::Ris).into_bytes()),
        ("hf".to_owned(), Format::Hf, list(hf).to_string().into_bytes()),
        ("s2".to_owned(), Format::S2, json!({"data": list(s2)}).to_string().into_bytes()),
        ("openalex".to_owned(), Format::Openalex, json!({"results": list(openalex)}).to_string().into_bytes()),
        (
            "crossref".to_owned(),
            Format::Crossref,
            json!({"message-type": "work-list", "message": {"items": list(crossref)}}).to_string().into_bytes(),
        ),
        ("feed".to_owned(), Format::Feed, feed(papers).into_bytes()),
        ("oai".to_owned(), Format::Oai, oai(papers).into_bytes()),
        ("capture".to_owned(), Format::Capture, capture(papers).into_bytes()),
    ];
    documents.extend(parquet(papers).map(|bytes| ("parquet".to_owned(), Format::Parquet, bytes)));
    documents
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, text).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(text: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
}

#[cfg(feature = "parquet")]
fn parquet(papers: &[Paper]) -> Option<Vec<u8>> {
    let mut writer = paperkin::render::ParquetWriter::new(Vec::new(), None).expect("a table");
    papers.iter().for_each(|paper| writer.write(paper, None).expect("memory"));
    Some(writer.finish().expect("memory"))
}

#[cfg(not(feature = "parquet"))]
fn parquet(_: &[Paper]) -> Option<Vec<u8>> {
    None
}

fn hf(paper: &Paper) -> Value {
    json!({"paper": {"id": paper.id(), "title": paper.title, "summary": paper.abstract_text, "authors": [{"name": "Ada Lovelace"}], "upvotes": 7}})
}

fn s2(paper: &Paper) -> Value {
    json!({"paperId": "abc", "externalIds": {"ArXiv": paper.id()}, "title": paper.title, "abstract": paper.abstract_text, "authors": [{"name": "Ada"}]})
}

fn openalex(paper: &Paper) -> Value {
    let mut places: std::collections::BTreeMap<&str, Vec<usize>> = std::collections::BTreeMap::new();
    for (place, word) in paper.abstract_text.split(' ').enumerate() {
        places.entry(word).or_default().push(place);
    }
    json!({"id": "https://openalex.org/W1", "display_name": paper.title, "abstract_inverted_index": places})
}

fn crossref(paper: &Paper) -> Value {
    json!({"DOI": "10.1000/x", "title": [paper.title], "abstract": format!("<jats:p>{}</jats:p>", html_escape::encode_text(&paper.abstract_text))})
}

fn feed(papers: &[Paper]) -> String {
    let mut text = String::from("<feed xmlns='http://www.w3.org/2005/Atom'>");
    for paper in papers {
        let (title, summary) = (html_escape::encode_text(&paper.title), html_escape::encode_text(&paper.abstract_text));
        let id = paper.id();
        write!(
            text,
            "<entry><id>http://arxiv.org/abs/{id}v1</id><title>{title}</title><summary>{summary}</summary><author><name>Ada</name></author></entry>"
        )
        .expect("memory");
    }
    text + "</feed>"
}

fn oai(papers: &[Paper]) -> String {
    let mut text = String::from("<OAI-PMH><ListRecords>");
    for paper in papers {
        let (title, summary) = (html_escape::encode_text(&paper.title), html_escape::encode_text(&paper.abstract_text));
        let id = paper.id();
        write!(
            text,
            "<record><header><identifier>oai:arXiv.org:{id}</identifier></header><metadata><arXiv><id>{id}</id><title>{title}</title>\
             <abstract>{summary}</abstract></arXiv></metadata></record>"
        )
        .expect("memory");
    }
    text + "</ListRecords></OAI-PMH>"
}

fn capture(papers: &[Paper]) -> String {
    let mut text =
        String::from("new\n\nGet trending papers in your email inbox!\n\nSubscribe\n\nDaily Papers\n\nbyAK and the research community\n\nDec 10\n\n");
    for paper in papers {
        write!(text, "{}\n\n{}\n\n  • 8 authors\n\n·\nNov 25, 2022\n\n", paper.title, paper.abstract_text).expect("memory");
    }
    text
}
