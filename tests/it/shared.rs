//! Real data that belongs to others, and is therefore not in this repository: read where PAPERKIN_SHARED names its folder.

use std::io::BufReader;
use std::path::Path;

use paperkin::paper::{Paper, PaperId};
use paperkin::source::{Item, Options, open};

use crate::support::{records, shared};

fn papers(path: &Path) -> Vec<Paper> {
    let file = std::fs::File::open(path).unwrap();
    let reader = open("capture", BufReader::new(file), &Options::default()).unwrap();
    let paper = |item| match item {
        Ok(Item::Paper(paper)) => Some(*paper),
        Ok(Item::Note(_)) => None,
        other => panic!("{other:?}"),
    };
    reader.filter_map(paper).collect()
}

#[test]
fn both_captures_are_read_whole() {
    let Some(shared) = shared("both_captures_are_read_whole") else { return };
    let december = papers(&shared.join("data/captures/daily_papers_dec_10.txt"));
    let march = papers(&shared.join("data/captures/daily_papers_mar_11.txt"));
    assert_eq!((march.len(), december.len()), (62, 31));
    assert_eq!(december.iter().filter(|paper| paper.authors_count.is_none()).count(), 1);
    let by_title = |part: &str| december.iter().find(|paper| paper.title.contains(part)).unwrap();
    let force_fields = by_title("Distribution Shifts For Machine");
    assert_eq!((force_fields.published.unwrap().to_string(), force_fields.comments), ("2025-03-11".to_owned(), Some(3)));
    assert_eq!(by_title("Hallucinations in Diffusion").comments, Some(1));
    // What is embedded is, to the letter, what the reference embedded.
    let mut texts: Vec<String> = december.iter().chain(&march).map(Paper::embedding_text).collect();
    texts.sort();
    texts.dedup();
    let mut reference: Vec<String> =
        records(&shared.join("eval/reference_minilm.jsonl")).iter().map(|r| r["text"].as_str().unwrap().to_owned()).collect();
    reference.sort();
    assert_eq!((texts.len(), texts), (77, reference));
}

#[test]
fn feeds_and_archives_are_read_whole() {
    let Some(shared) = shared("feeds_and_archives_are_read_whole") else { return };
    // Counted by `grep -o "<entry\|<item>\|<record>" FILE | wc -l`.
    let files = [
        ("arxiv_atom_api_2020_doi_journalref.xml", 1),
        ("arxiv_atom_api_2025.xml", 2),
        ("arxiv_atom_api_empty.xml", 0),
        ("arxiv_oaipmh_arxiv-physics-hep-th.xml", 3),
        ("arxiv_oaipmh_arxiv-single.xml", 1),
        ("arxiv_oaipmh_sample_arxiv_record.xml", 12),
        ("arxiv_oaipmh_sample_arxiv_record4.xml", 1),
        ("arxiv_rss2_header_real_items_partly_reconstructed.xml", 1),
    ];
    for (name, count) in files {
        let papers = papers(&shared.join("data/fixtures").join(name));
        assert_eq!(papers.len(), count, "{name}");
        for paper in papers {
            let is_whole = !paper.abstract_text.is_empty() && !paper.authors.is_empty() && !paper.categories.is_empty();
            assert!(is_whole && matches!(paper.id(), PaperId::Arxiv(_)), "{name}: {paper:?}");
        }
    }
    assert_eq!(papers(&shared.join("data/arxiv_week.jsonl.zst")).len(), 1909);
}

#[test]
fn indexes_of_papers_are_read_whole() {
    let Some(shared) = shared("indexes_of_papers_are_read_whole") else { return };
    // Counted by `jq '(.data // .recommendedPapers // .results // .message.items // [.]) | length' FILE`.
    let files = [
        ("s2_get_recommended_papers.json", 100),
        ("s2_search_paper.json", 100),
        ("openalex_s2_crossref_json/api.crossref.org_0.json", 1),
        ("openalex_s2_crossref_json/api.crossref.org_3.json", 1),
        ("openalex_s2_crossref_json/api.crossref.org_5.json", 1),
        ("openalex_s2_crossref_json/api.openalex.org_0.json", 2),
        ("openalex_s2_crossref_json/api.openalex.org_1.json", 1),
        ("openalex_s2_crossref_json/api.openalex.org_2.json", 1),
        ("openalex_s2_crossref_json/api.openalex.org_3.json", 1),
        ("openalex_s2_crossref_json/api.openalex.org_4.json", 1),
        ("openalex_s2_crossref_json/api.openalex.org_5.json", 1),
        ("openalex_s2_crossref_json/api.semanticscholar.org_0.json", 1),
        ("openalex_s2_crossref_json/api.semanticscholar.org_1.json", 1),
        ("openalex_s2_crossref_json/api.semanticscholar.org_4.json", 1),
    ];
    for (name, count) in files {
        let papers = papers(&shared.join("data/fixtures").join(name));
        assert_eq!(papers.len(), count, "{name}");
        assert!(papers.iter().all(|paper| !paper.ids.is_empty() && !paper.title.is_empty()), "{name}");
    }
}

#[test]
fn lists_of_references_are_read_whole() {
    let Some(shared) = shared("lists_of_references_are_read_whole") else { return };
    // Records counted by `grep -c "TY  -\|^PT " FILE`; those without a title are told.
    let files = [
        ("example_basic", 1, 0),
        ("example_bom", 0, 1),
        ("example_custom_list_tags", 0, 1),
        ("example_empty_tag", 1, 0),
        ("example_extraneous_data", 2, 0),
        ("example_full", 2, 0),
        ("example_full_without_whitespace", 2, 0),
        ("example_full_write", 2, 0),
        ("example_multi_unknown_tags", 1, 0),
        ("example_multiline", 0, 3),
        ("example_single_unknown_tag", 1, 0),
        ("example_starting_newlines", 1, 0),
        ("example_utf_chars", 0, 1),
        ("example_wos", 2, 0),
        ("zotero_export_mylibrary", 5, 0),
    ];
    for (name, count, failures) in files {
        let file = std::fs::File::open(shared.join(format!("data/fixtures/ris/{name}.ris"))).unwrap();
        let items: Vec<Item> = open(name, BufReader::new(file), &Options::default()).unwrap().map(Result::unwrap).collect();
        let found = items.iter().filter(|item| matches!(item, Item::Paper(_))).count();
        assert_eq!((found, items.len() - found), (count, failures), "{name}");
    }
}

#[test]
fn the_api_s_days_are_read_whole() {
    let Some(shared) = shared("the_api_s_days_are_read_whole") else { return };
    let days = [
        ("2024-05-27_old_shape", 13),
        ("2026-08-03", 22),
        ("2026-08-04", 26),
        ("2026-08-05", 25),
        ("2026-08-06", 26),
        ("2026-08-07", 20),
        ("2026-08-10", 21),
        ("2026-08-11", 20),
    ];
    for (day, count) in days {
        let read = papers(&shared.join(format!("data/hf_daily/{day}.json")));
        assert_eq!(read.len(), count, "{day}");
        assert!(read.iter().all(|paper| paper.day.is_some_and(|d| day.starts_with(&d.to_string()))), "{day}");
        assert!(read.iter().all(|paper| !paper.abstract_text.is_empty() && paper.published.is_some() && paper.upvotes.is_some()), "{day}");
    }
}

#[test]
#[cfg(feature = "embedded-model")]
fn the_77_texts_have_the_reference_s_vectors() {
    use crate::support::{cosine, vector};
    use paperkin::embed::{Compute, Device, Embedder, Model, Precision, Role};

    let Some(shared) = shared("the_77_texts_have_the_reference_s_vectors") else { return };
    let reference = records(&shared.join("eval/reference_minilm.jsonl"));
    let texts: Vec<&str> = reference.iter().map(|r| r["text"].as_str().unwrap()).collect();
    let built_in = Model::built_in().unwrap();
    let original = Model::from_directory(&shared.join("models/all-MiniLM-L6-v2"), None, None).unwrap();
    for (name, model, bar) in [("built-in", built_in, 0.9999), ("f32 directory", original, 0.99999)] {
        let embedder = Embedder::load(model, Compute { device: Device::Cpu, precision: Precision::Exact, instructions: None }).unwrap();
        let vectors = embedder.embed(&texts, Role::Document).unwrap();
        let worst = vectors.rows().zip(&reference).map(|(row, record)| cosine(row, &vector(record))).fold(1.0, f64::min);
        eprintln!("{name}: worst cosine of {} texts {worst:.8}", texts.len());
        assert!(worst >= bar, "{name}: {worst}");
    }
}
