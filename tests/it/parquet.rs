//! Parquet: what others write is read, what is written is read back, and damage is told.

use paperkin::ExitClass;

use crate::support::{Kin, repository};

#[cfg(not(feature = "parquet"))]
#[test]
fn a_paperkin_without_it_says_what_reads_it() {
    let kin = Kin::new();
    std::fs::copy(repository("tests/fixtures/parquet/plain.parquet"), kin.path("papers.parquet")).unwrap();
    let ran = kin.run(&["add", "papers.parquet"]);
    assert_eq!(ran.code, ExitClass::Failure as i32);
    assert!(ran.err.contains("papers.parquet: this is a Parquet file") && ran.err.contains("--features parquet"), "{}", ran.err);
}

#[cfg(feature = "parquet")]
mod with_it {
    use std::panic::catch_unwind;

    use paperkin::paper::{Date, Paper, PaperId};
    use paperkin::render::{ParquetWriter, to_json};
    use paperkin::source::{self, Item};

    use super::*;

    /// Papers with everything, and with next to nothing.
    fn papers(count: usize) -> Vec<Paper> {
        let day = Date::constant(2024, 2, 29);
        let full = |i: usize| Paper {
            ids: vec![PaperId::Arxiv(format!("2401.{i:05}")), PaperId::Doi(format!("10.1000/{i}")), PaperId::Given(format!("W{i}"))],
            title: format!("On é, part {i}"),
            abstract_text: "We look at descent.".repeat(i % 90),
            authors: ["Ada", "Alan", "Emmy"][..i % 4].iter().map(|&name| name.to_owned()).collect(),
            authors_count: Some(7),
            categories: vec!["cs.LG".to_owned(); i % 2],
            published: (i % 3 > 0).then_some(day),
            updated: Some(Date::constant(1969, 12, 31)),
            day: Some(day),
            upvotes: Some(i as u32),
            comments: Some(0),
            url: Some(format!("https://example.org/{i}")),
            version: Some(2),
            withdrawn: i % 7 == 0,
        };
        let bare = |i: usize| Paper { ids: vec![PaperId::Given(format!("{i}"))], title: format!("Bare {i}"), ..Paper::default() };
        (0..count).map(|i| if i % 5 < 4 { full(i) } else { bare(i) }).collect()
    }

    fn table(papers: &[Paper], dim: Option<usize>) -> Vec<u8> {
        let mut writer = ParquetWriter::new(Vec::new(), dim).unwrap();
        for (i, paper) in papers.iter().enumerate() {
            let vector = vec![i as f32; dim.unwrap_or_default()];
            writer.write(paper, (i % 2 == 0).then_some(&vector[..])).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> paperkin::Result<Vec<Item>> {
        source::open("x", bytes, &source::Options::default())?.collect()
    }

    fn only_papers(items: Vec<Item>) -> Vec<Paper> {
        let paper = |item| match item {
            Item::Paper(paper) => *paper,
            other => panic!("{other:?}"),
        };
        items.into_iter().map(paper).collect()
    }

    fn fixture(name: &str) -> Vec<u8> {
        std::fs::read(repository("tests/fixtures/parquet").join(name)).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back_as_json_lines_are() {
        for (count, dim) in [(0, None), (1, Some(3)), (2500, None), (2500, Some(8))] {
            let papers = papers(count);
            let lines: Vec<String> = papers.iter().map(|paper| to_json(paper).to_string() + "\n").collect();
            let from_lines = if count == 0 { Vec::new() } else { only_papers(read(lines.concat().as_bytes()).unwrap()) };
            let bytes = table(&papers, dim);
            let from_table = only_papers(read(&bytes).unwrap());
            assert_eq!(from_table, from_lines, "{count} papers");
            assert_eq!(from_table, papers, "{count} papers");
            assert_eq!(bytes, table(&papers, dim), "the same papers make the same bytes");
        }
    }

    #[test]
    fn a_vector_of_another_length_is_refused() {
        let mut writer = ParquetWriter::new(Vec::new(), Some(3)).unwrap();
        let error = writer.write(&Paper::default(), Some(&[1.0])).unwrap_err();
        assert_eq!(error.to_string(), "got a vector of 1 numbers, expected 3");
    }

    #[test]
    fn files_of_others_are_read() {
        let names = ["zstd.parquet", "zstd-pages-2.parquet", "lz4.parquet", "gzip-int96.parquet", "plain.parquet"];
        for name in names {
            let papers = only_papers(read(&fixture(name)).unwrap());
            assert_eq!(papers.len(), 6, "{name}");
            let day = Some(Date::constant(2024, 2, 29));
            let expected = Paper {
                ids: vec![PaperId::Arxiv("2401.00003".to_owned())],
                title: "On é, part 3".to_owned(),
                abstract_text: "We look at descent. We look at descent. We look at descent.".to_owned(),
                authors: vec!["Ada".to_owned(), "Alan".to_owned()],
                categories: vec!["cs.LG".to_owned(), "stat.ML".to_owned()],
                published: day,
                updated: day,
                upvotes: Some(3),
                comments: Some(3),
                ..Paper::default()
            };
            assert_eq!(papers[3], expected, "{name}");
            assert_eq!((papers[2].published, papers[2].upvotes, papers[1].abstract_text.as_str()), (None, None, ""), "{name}");
        }
        let error = read(&fixture("brotli.parquet")).unwrap_err();
        assert!(error.to_string().contains("packed with Brotli") && error.hint().unwrap().contains("Zstandard"), "{error}");
    }

    #[test]
    fn the_program_reads_it_from_a_file_a_pipe_and_packed() {
        let kin = Kin::new();
        let bytes = fixture("zstd.parquet");
        let path = kin.write("papers", &bytes);
        let ran = kin.run(&["add", path.to_str().unwrap()]);
        assert!(ran.code == ExitClass::Done as i32 && ran.err.contains("6 new"), "{ran:?}");
        let ran = kin.run_with_input(&["add", "-"], &bytes);
        assert!(ran.code == ExitClass::Done as i32 && ran.err.contains("0 new, 6 merged"), "{ran:?}");
        let mut packed = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzEncoder::new(&bytes[..], flate2::Compression::fast()), &mut packed).unwrap();
        let ran = kin.run_with_input(&["add", "-"], &packed);
        assert!(ran.code == ExitClass::Done as i32 && ran.err.contains("6 unchanged"), "{ran:?}");
    }

    #[test]
    fn a_record_that_is_no_paper_is_told_by_its_number() {
        let mut papers = papers(300);
        papers[200] = Paper { ids: vec![PaperId::Given("x".to_owned())], ..Paper::default() };
        let items = read(&table(&papers, None)).unwrap();
        assert_eq!(items.iter().filter(|item| matches!(item, Item::Paper(_))).count(), 299);
        assert!(matches!(&items[200], Item::Failed(failure) if failure.place == "x: record 201" && failure.reason.contains("no title")));
    }

    #[test]
    fn a_file_that_is_cut_off_is_an_error() {
        let bytes = table(&papers(50), Some(4));
        for length in (4..bytes.len()).step_by(97) {
            let error = read(&bytes[..length]).unwrap_err();
            assert!(error.to_string().contains("cut off") || error.to_string().contains("no Parquet file"), "{length}: {error}");
        }
        let end = [&bytes[..bytes.len() / 2], &bytes[bytes.len() - 8..]].concat();
        assert!(read(&end).is_err(), "the middle is missing");
        assert!(read(b"PAR1PARE\0\0\0\0PARE").unwrap_err().to_string().contains("encrypted"));
    }

    #[test]
    fn a_page_with_a_checksum_is_what_it_was() {
        let mut bytes = fixture("plain.parquet");
        // The first and the last of a page stand in its statistics too.
        let at = bytes.windows(6).position(|part| part == b"part 2").unwrap();
        bytes[at + 5] = b'4';
        let error = read(&bytes).unwrap_err();
        assert!(error.to_string().contains("checksum"), "{error}");
    }

    #[test]
    fn damage_is_an_error_or_other_papers_and_never_a_panic() {
        let files: Vec<Vec<u8>> =
            ["zstd-pages-2.parquet", "lz4.parquet", "plain.parquet"].into_iter().map(fixture).chain([table(&papers(40), None)]).collect();
        // xorshift, so that a failure comes again.
        let mut state = 88_172_645_463_325_252_u64;
        let mut below = |end: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % end as u64) as usize
        };
        for (round, file) in (0..1200).flat_map(|round| files.iter().map(move |file| (round, file))) {
            let mut bytes = file.clone();
            for _ in 0..=below(4) {
                // Every other change is in the last part, which says where everything is.
                let at = if round % 2 == 0 { below(bytes.len()) } else { bytes.len() - 9 - below(bytes.len() / 3) };
                bytes[at] = if below(2) == 0 { bytes[at] ^ (1 << below(8)) } else { below(256) as u8 };
            }
            let items = catch_unwind(|| read(&bytes).map(|items| items.len()));
            let Ok(items) = items else { panic!("a panic in round {round}") };
            assert!(items.is_err() || items.is_ok_and(|count| count <= 100_000), "round {round}");
        }
    }
}
