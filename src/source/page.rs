//! The Daily Papers page as a browser saves it.
//!
//! The page carries its own data: an element with `data-target="DailyPapers"` whose attribute `data-props` is the
//! escaped JSON that [`super::hf`] reads, with the day as `dateString`.

use serde::Deserialize;

use super::{Item, Options, hf, unreadable};
use crate::error::Result;
use crate::paper::parse_date;

const TARGET: &str = "data-target=\"DailyPapers\"";
const PROPS: &str = "data-props=\"";

/// True if the beginning of an HTML page names the papers, or may yet.
pub(super) fn is_page(head: &str) -> bool {
    head.contains(TARGET) || head.contains("huggingface.co")
}

pub(super) fn read(origin: &str, html: &str, options: &Options) -> Result<Vec<Item>> {
    let missing = || unreadable(origin, "a web page without the papers of a Daily Papers page (no data-props of DailyPapers)");
    let json = props(html).ok_or_else(missing)?;
    let json = html_escape::decode_html_entities(json);
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Day {
        date_string: Option<String>,
    }
    let day = serde_json::from_str::<Day>(&json).ok().and_then(|day| parse_date(&day.date_string?));
    hf::read(origin, json.as_bytes(), options.day.or(day)).collect()
}

/// The attribute `data-props` in the tag that has the target.
fn props(html: &str) -> Option<&str> {
    let target = html.find(TARGET)?;
    let tag_start = html[..target].rfind('<')?;
    // Attribute values are escaped, so that the first `>` outside quotes ends the tag, and `"` ends the value.
    let start = tag_start + html[tag_start..].find(PROPS)? + PROPS.len();
    let length = html[start..].find('"')?;
    let between = &html[target.min(start)..start.max(target)];
    (!between.contains('<')).then(|| &html[start..start + length])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Item;

    #[test]
    fn the_papers_of_a_saved_page_are_read() {
        let html = r#"<!doctype html><html><body><div class="SVELTE_HYDRATER contents" data-target="DailyPapers"
            data-props="{&quot;dailyPapers&quot;:[{&quot;paper&quot;:{&quot;id&quot;:&quot;2412.06559&quot;,&quot;title&quot;:&quot;A &amp;amp; B&quot;,
            &quot;summary&quot;:&quot;x &lt; y&quot;},&quot;numComments&quot;:2}],&quot;dateString&quot;:&quot;2024-12-10&quot;}"><p>"#;
        let items = read("p.html", html, &Options::default()).unwrap();
        let [Item::Paper(paper)] = items.as_slice() else { panic!("{items:?}") };
        assert_eq!((paper.title.as_str(), paper.abstract_text.as_str()), ("A &amp; B", "x < y"));
        assert_eq!(paper.day.unwrap().to_string(), "2024-12-10");
        assert!(read("p.html", "<html><a href=\"https://huggingface.co\">", &Options::default()).is_err());
    }
}
