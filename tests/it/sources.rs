//! Bad and odd input through the program: one clear error each, and nothing committed is lost.

use proptest::prelude::*;

use crate::support::{Kin, papers};

const CAPTURE: &str = "new\n\nGet trending papers in your email inbox!\n\nSubscribe\n\nDaily Papers\n\nbyAK and the research community\n\nDec 10\n\n";

#[test]
fn bad_input_is_one_clear_error_and_loses_nothing() {
    let kin = Kin::new();
    let good = kin.write("good.jsonl", papers(5));
    assert_eq!(kin.run(&["add", good.to_str().unwrap()]).code, 0);
    std::fs::create_dir(kin.path("folder")).unwrap();
    kin.write("folder/notes.md", "# nothing here\n");
    kin.write("empty", "");
    kin.write("binary", [0u8, 159, 146, 150, 1, 2, 3, 0, 0, 7]);
    kin.write("cut.json", "[{\"paper\": {\"id\": \"2405.15738\", \"title\": \"Con");
    kin.write("gzip", b"\x1f\x8b\x08\x00abc");
    kin.write("error.html", "<!doctype html><html><body>503</body></html>");
    kin.write("captcha.html", "<!DOCTYPE html><html><h1>Automated Access Detected</h1><p>Please verify you are human</p></html>");
    kin.write("banner", CAPTURE);
    let cases = [
        ("empty", "empty: the input is empty"),
        ("binary", "binary: this is a binary file, not text"),
        ("gzip", "gzip: the packed data cannot be read"),
        ("error.html", "error.html: this is a web page"),
        ("captcha.html", "asks whether you are human"),
        ("banner", "without a paper in it"),
        ("folder", "no papers in folder (1 file looked at)"),
        ("missing", "cannot open missing"),
    ];
    for (name, part) in cases {
        let ran = kin.run(&["add", name]);
        assert_eq!(ran.code, 1, "{name}: {ran:?}");
        assert_eq!(ran.err.matches("error: ").count(), 1, "{name}: {}", ran.err);
        assert!(ran.err.contains(part), "{name}: {}", ran.err);
    }
    let mixed = kin.run(&["add", "empty", "good.jsonl", "cut.json"]);
    assert_eq!(mixed.code, 7, "{mixed:?}");
    assert!(mixed.err.contains("5 unchanged, 1 failed") && mixed.err.contains("1 inputs could not be read"), "{}", mixed.err);
    assert!(mixed.err.contains("failed: cut.json: record 1: the JSON is cut off"), "{}", mixed.err);
    assert_eq!(kin.json(&["status", "--json"])["papers"], 5);
    assert_eq!(kin.run(&["verify"]).code, 0);
}

#[test]
fn odd_text_goes_through() {
    let kin = Kin::new();
    let long = "gradient descent ".repeat(5000);
    let lines = [
        "{\"id\": \"nul\", \"title\": \"NUL \\u0000 inside\", \"abstract\": \"a\\u0000b\"}".to_owned(),
        "{\"id\": \"emoji\", \"title\": \"🚀🚀\", \"abstract\": \"👩‍🔬 studies\"}".to_owned(),
        "{\"id\": \"rtl\", \"title\": \"שלום עולם\", \"abstract\": \"مرحبا بالعالم\"}".to_owned(),
        format!("{{\"id\": \"long\", \"title\": \"Ten thousand words\", \"abstract\": \"{long}\"}}"),
        "{\"id\": \"html\", \"title\": \"<script>alert(1)</script>\", \"abstract\": \"x\", \"url\": \"javascript:alert(1)\"}".to_owned(),
    ];
    let ran = kin.run_with_input(&["add", "-"], lines.join("\n").as_bytes());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("5 new") && ran.err.contains("5 embedded"), "{}", ran.err);
    assert_eq!(kin.json(&["show", "nul", "--json"])[0]["title"], "NUL inside");
    assert_eq!(kin.run(&["similar", "🚀🚀"]).code, 0);
    let page = kin.run(&["similar", "nul", "--format", "html"]).out;
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script>") && !page.contains("javascript:"), "{page}");
    assert_eq!(kin.run(&["verify"]).code, 0);
}

#[test]
fn a_directory_is_read_by_name_and_says_what_it_passed_over() {
    let kin = Kin::new();
    std::fs::create_dir_all(kin.path("d/sub/.hidden")).unwrap();
    kin.write("d/a.jsonl", papers(3));
    kin.write("d/sub/c.txt", format!("{CAPTURE}A title\n\nAn abstract that is here.\n"));
    kin.write("d/readme.md", "hello\n");
    kin.write("d/sub/.hidden/x.jsonl", papers(9));
    let ran = kin.run(&["add", "d"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("4 new") && ran.err.contains("1 files passed over"), "{}", ran.err);
    kin.write("d/cut.json", "[{\"paper\": {\"id\": \"24");
    let again = kin.run(&["add", "d"]);
    assert_eq!(again.code, 7, "a file that is cut is not one of another format: {again:?}");
    assert!(ran.err.contains("taken as") && ran.err.contains("--date"), "{}", ran.err);
}

#[test]
fn formats_are_mixed_in_directories_and_archives() {
    use std::io::Write;

    let kin = Kin::new();
    std::fs::create_dir_all(kin.path("d")).unwrap();
    kin.write("d/a.csv", "\u{feff}Key;Title;Abstract Note;Author\nK;One;About one.;Lovelace, Ada\n");
    kin.write("d/b.bib", "@article{k, title = {{Two}}, abstract = {About t{\\'w}o.}}\n@article{l, title = {Cut\n@article{m, title={Three}}");
    kin.write("d/c.html", "<html><meta name='citation_title' content='Four'><meta name='citation_abstract' content='About four.'></html>");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(kin.path("d/d.zip")).unwrap());
    for (name, text) in [
        ("x/e.jsonl", "{\"title\": \"Five\", \"abstract\": \"About five.\"}\n"),
        ("readme.txt", "hello"),
        ("f.ris", "TY  - JOUR\nTI  - Six\nER  -\n"),
    ] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    let ran = kin.run(&["add", "d"]);
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(ran.err.contains("7 records of 6 papers: 6 new") && ran.err.contains("1 failed; 4 embedded"), "{}", ran.err);
    assert!(
        ran.err.contains("2 without an abstract; 1 files passed over") && ran.err.contains("failed: d/b.bib:2: the entry has no end"),
        "{}",
        ran.err
    );
    let told = kin.json(&["show", "One", "--provenance", "--json"]);
    assert_eq!((&told[0]["provenance"]["title"], &told[0]["authors"][0]), (&"csv a.csv".into(), &"Ada Lovelace".into()));
    // From a pipe an archive is read too.
    let ran = kin.run_with_input(&["add", "-"], &std::fs::read(kin.path("d/d.zip")).unwrap());
    assert!(ran.code == 0 && ran.err.contains("2 records of 2 papers: 0 new"), "{ran:?}");
}

#[test]
fn columns_may_be_told_and_records_limited_and_vectors_wait() {
    let kin = Kin::new();
    let table = kin.write("t.tsv", "nom\ttexte\nOne\tAbout one.\nTwo\tAbout two.\nThree\tAbout three.\n");
    let table = table.to_str().unwrap();
    let ran = kin.run(&["add", table, "--format", "csv"]);
    assert!(ran.code == 1 && ran.err.contains("no column is called title; the columns are nom, texte"), "{ran:?}");
    let told = ["add", table, "--format", "csv", "--columns", "title=nom,abstract=2"];
    let ran = kin.run(&[&told[..], &["--limit", "2", "--no-embed"]].concat());
    assert!(ran.code == 0 && ran.err.contains("2 records of 2 papers: 2 new") && ran.err.contains("nothing embedded"), "{ran:?}");
    assert_eq!(kin.json(&["status", "--json"])["vectors"], 0);
    let ran = kin.run(&told);
    assert!(ran.code == 0 && ran.err.contains("3 records of 3 papers: 1 new") && ran.err.contains("3 embedded"), "{ran:?}");
    assert_eq!(kin.run(&["add", table, "--columns", "title"]).code, 2);
}

#[test]
fn a_text_that_was_not_embedded_is_replaced_later_and_references_replace_none() {
    let kin = Kin::new();
    let version = |version: u32, text: &str| format!("{{\"id\": \"2508.13426v{version}\", \"title\": \"T {version}\", \"abstract\": \"{text}\"}}\n");
    let show = || kin.json(&["show", "2508.13426", "--json"])[0].clone();
    let (first, second) = (kin.write("1.jsonl", version(1, "First text.")), kin.write("2.jsonl", version(2, "Second text.")));
    assert_eq!(kin.run(&["add", first.to_str().unwrap()]).code, 0);
    assert_eq!(kin.run(&["add", second.to_str().unwrap(), "--no-embed"]).code, 0);
    let ran = kin.run(&["add", second.to_str().unwrap()]);
    assert!(ran.err.contains("1 embedded"), "{ran:?}");
    assert_eq!((show()["abstract"].as_str(), show()["version"].as_u64()), (Some("Second text."), Some(2)));
    kin.write("c.bib", "@misc{k, title = {T 9}, url = {https://arxiv.org/abs/2508.13426v9}}");
    assert_eq!(kin.run(&["add", "c.bib", "--title-only"]).code, 0);
    assert_eq!((show()["abstract"].as_str(), show()["title"].as_str(), show()["version"].as_u64()), (Some("Second text."), Some("T 2"), Some(2)));
}

fn read(bytes: &[u8], format: Option<paperkin::source::Format>) -> usize {
    let options = paperkin::source::Options { format, ..Default::default() };
    paperkin::source::open("x", bytes, &options).map_or(0, |reader| reader.count())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Whatever is read, in whatever format, ends without a panic.
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read(&bytes, None);
        for format in paperkin::source::Format::ALL {
            read(&bytes, Some(format));
        }
    }

    #[test]
    fn no_text_like_a_capture_makes_a_reader_panic(lines in proptest::collection::vec("(|·|  • [0-9]{1,12} authors?|(Dec|Feb|May) [0-9]{1,3}(, [0-9]{4})?( [0-9]{1,3})?|[A-Za-z .é]{0,60})", 0..40)) {
        read(format!("{CAPTURE}{}", lines.join("\n")).as_bytes(), None);
    }

    #[test]
    fn no_text_like_xml_or_ris_makes_a_reader_panic(
        parts in proptest::collection::vec("(<feed>|<OAI-PMH>|</?(entry|record|metadata|arXiv|title|authors)>|<link href='[a-z<&;]{0,5}'/>|&(#[0-9]{1,8}|[a-z]{1,6});|<!\\[CDATA\\[|\\]\\]>|[a-zé<>&]{0,20})", 0..40),
        lines in proptest::collection::vec("(TY  - JOUR|ER  -|(TI|AU|DO|Y1)  ?-? ?[A-Za-zé,/0-9]{0,20}|   [a-zé]{0,20}|É.)", 0..40),
    ) {
        for first in ["<feed>", "<OAI-PMH>"] {
            read(format!("{first}{}", parts.concat()).as_bytes(), None);
        }
        read(format!("TY  - JOUR\n{}", lines.join("\n")).as_bytes(), None);
    }

    /// A cut anywhere in a file of lines loses only the line that was cut.
    #[test]
    fn a_cut_loses_only_the_line_that_was_cut(cut in 0usize..2000) {
        let text = papers(20);
        let cut = cut.min(text.len());
        let whole = text[..cut].matches('\n').count();
        let options = paperkin::source::Options { format: Some(paperkin::source::Format::Jsonl), ..Default::default() };
        if let Ok(reader) = paperkin::source::open("x", &text.as_bytes()[..cut], &options) {
            let read = reader.filter(|item| matches!(item, Ok(paperkin::source::Item::Paper(_)))).count();
            prop_assert!(read == whole || read == whole + 1, "{read} of {whole}");
        }
    }
}
