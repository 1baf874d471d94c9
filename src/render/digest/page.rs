//! A digest as one page: no scripts, no images, nothing from elsewhere; light and dark, narrow, and on paper. Mail is the same page
//! with the beginnings of abstracts, as few mail programs fold text away.

use super::super::html::{self, escape};
use super::{
    LONG_SEED, change, digest_title, facts, gone, heading, item_of, more, others, parts, plural, remark, summary, votes, why, why_surprising,
};
use crate::digest::{Digest, Item, Section};
use crate::render::fit;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c1e21;--soft:#5d636b;--line:#e3e5e8;--paper:#fff;--tint:#f5f6f8;--link:#0b57b0;--new:#1a7f4b}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e7e9;--soft:#a0a6ae;--line:#33373d;--paper:#16181b;--tint:#1f2226;--link:#8ab8f5;--new:#6cc795}}\
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}\
main{max-width:43rem;margin:0 auto;padding:2rem 1.2rem 3rem}\
h1{font-size:1.7rem;line-height:1.2;margin:.1rem 0 .3rem}h2{font-size:1.2rem;line-height:1.3;margin:2.4rem 0 .1rem;padding-top:.9rem;border-top:1px solid var(--line)}\
h3{font-size:1rem;line-height:1.35;margin:1.1rem 0 .1rem}p{margin:.15rem 0}a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}\
.brand{font-size:.8rem;letter-spacing:.08em;text-transform:uppercase;color:var(--soft)}.soft{color:var(--soft);font-size:.9rem}\
.new{color:var(--new);font-weight:600}.why{font-size:.9rem;font-style:italic;color:var(--soft)}\
.box{background:var(--tint);border-radius:10px;padding:.7rem 1rem;margin:1.2rem 0}.box h2{border:0;margin:0;padding:0;font-size:1rem}.box h3{margin-top:.3rem}\
ol{margin:.3rem 0;padding-left:1.3rem}li{margin:.2rem 0}details{margin:.2rem 0;font-size:.93rem}summary{color:var(--soft);cursor:pointer;font-size:.85rem}\
footer{margin-top:2.5rem;padding-top:.8rem;border-top:1px solid var(--line);color:var(--soft);font-size:.85rem}\
h1,h2,h3,p,li{overflow-wrap:anywhere}\
@media print{:root{--ink:#000;--soft:#444;--line:#bbb;--paper:#fff;--tint:#fff;--link:#000;--new:#000}main{max-width:none;padding:0}body{font-size:10.5pt}\
.box{border:1px solid var(--line)}article,li{break-inside:avoid}h2{break-after:avoid}details{display:none}}";

/// Letters of an abstract in mail.
const LEAD: usize = 260;

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Page,
    Mail,
}

/// As one page.
pub(super) fn digest_page(digest: &Digest) -> String {
    page(digest, Place::Page, "Made by paperkin on its own machine.")
}

/// As the HTML part of mail; `footer` says why somebody gets it.
pub fn digest_mail(digest: &Digest, footer: &str) -> String {
    page(digest, Place::Mail, footer)
}

fn page(digest: &Digest, place: Place, footer: &str) -> String {
    let (shown, rest) = parts(digest);
    let mut body =
        format!("<p class=\"brand\">paperkin</p>\n<h1>{}</h1>\n<p class=\"soft\">{}</p>\n", escape(&digest_title(digest)), escape(&summary(digest)));
    body.extend(remark(digest).map(|remark| format!("<p class=\"box\">{}</p>\n", escape(&remark))));
    body.push_str(&trending(digest));
    shown.iter().for_each(|part| body.push_str(&section(digest, part, place)));
    if let Some(item) = &digest.surprise {
        let why = format!("<p class=\"soft\">Unlike what {} likes</p>", escape(&digest.profile));
        body.push_str(&format!(
            "<section class=\"box\" style=\"margin-top:2.4rem\"><h2>Something else</h2>{why}\n{}</section>\n",
            article((digest, item), &why_surprising(item), place)
        ));
    }
    for line in [others(&rest), gone(digest)].into_iter().flatten() {
        body.push_str(&format!("<p class=\"soft\" style=\"margin-top:1rem\">{}</p>\n", escape(&line)));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>paperkin: {}</title><style>{STYLE}</style></head><body><main>\n{body}<footer>{}</footer>\n</main></body></html>\n",
        escape(&digest_title(digest)),
        escape(footer)
    )
}

fn trending(digest: &Digest) -> String {
    let line = |item: &Item| {
        let votes = votes(&item.hit.paper).map(|votes| format!(" <span class=\"soft\">{}</span>", escape(&votes))).unwrap_or_default();
        format!("<li dir=\"auto\">{}{votes}</li>\n", html::linked(&item.hit.paper))
    };
    let lines: String = digest.trending.iter().filter_map(|row| item_of(digest, *row)).map(line).collect();
    if lines.is_empty() { lines } else { format!("<section class=\"box\"><h2>Trending</h2>\n<ol>\n{lines}</ol></section>\n") }
}

fn section(digest: &Digest, section: &Section, place: Place) -> String {
    let papers = plural((section.items.len() + section.more) as u64, "paper");
    let change = match change(digest, section) {
        Some(change) if change == "new" => " · <span class=\"new\">new</span>".to_owned(),
        Some(change) => format!(" · {}", escape(&change)),
        None => String::new(),
    };
    let items: String = section.items.iter().map(|item| article((digest, item), &why(item, LONG_SEED), place)).collect();
    let more = more(section).map(|more| format!("<p class=\"soft\">{}</p>\n", escape(&more))).unwrap_or_default();
    format!("<section><h2 dir=\"auto\">{}</h2>\n<p class=\"soft\">{papers}{change}</p>\n{items}{more}</section>\n", escape(&heading(section)))
}

fn article((digest, item): (&Digest, &Item), why: &str, place: Place) -> String {
    let paper = &item.hit.paper;
    let why = if why.is_empty() { String::new() } else { format!("<p class=\"why\" dir=\"auto\">{}</p>\n", escape(why)) };
    let text = match place {
        _ if paper.abstract_text.is_empty() => String::new(),
        Place::Page => format!("<details><summary>Abstract</summary><p dir=\"auto\">{}</p></details>", escape(&paper.abstract_text)),
        Place::Mail => format!("<p dir=\"auto\" style=\"font-size:.93rem\">{}</p>", escape(&lead(&paper.abstract_text))),
    };
    format!(
        "<article><h3 dir=\"auto\">{}</h3>\n<p class=\"soft\" dir=\"auto\">{}</p>\n{why}{text}</article>\n",
        html::linked(&item.hit.paper),
        escape(&facts(digest, item))
    )
}

/// The beginning of an abstract, up to the end of a word.
fn lead(text: &str) -> String {
    let cut = fit(text, LEAD);
    match cut.strip_suffix('…') {
        Some(whole) if cut.len() < text.len() => format!("{} …", whole.rsplit_once(' ').map_or(whole, |(words, _)| words)),
        _ => cut,
    }
}
