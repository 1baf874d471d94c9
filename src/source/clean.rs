//! Text as it is kept: one line, single spaces, no control characters, none of a feed's or a bot's words.

use std::borrow::Cow;

use super::tex;

/// Puts text on one line: white space of any kind and length becomes one space, control characters go.
///
/// ```
/// use paperkin::source::clean;
/// assert_eq!(clean("  Large\n  Multimodal\u{0}\tModels "), "Large Multimodal Models");
/// ```
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(is_blank).filter(|w| !w.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// What is between words.
pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || c == '\u{feff}'
}

/// [`clean`] for titles and names: simple TeX is text.
pub(super) fn clean_text(text: &str) -> String {
    let text = clean(text);
    match tex::plain(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(plain) => clean(&plain),
    }
}

/// [`clean_text`], without what feeds put before an abstract; empty where a bot's comment stands for one.
pub(super) fn clean_abstract(text: &str) -> String {
    clean_text(&abstract_of(text))
}

/// [`clean`] in the same way: the text of a page that was pasted is kept to the letter.
pub(super) fn abstract_of(text: &str) -> String {
    let text = clean(text);
    let rest = without_feed_prefix(&text);
    if is_bot_comment(rest) { String::new() } else { rest.to_owned() }
}

/// arXiv's feeds write `arXiv:2508.13426v1 Announce Type: cross Abstract: …`; some people's exports write `Abstract: …`.
fn without_feed_prefix(text: &str) -> &str {
    const LONGEST_PREFIX: usize = 200;
    if text.starts_with("arXiv:")
        && let Some((head, rest)) = text.split_once("Abstract:")
        && head.len() <= LONGEST_PREFIX
    {
        return rest.trim_start();
    }
    text.strip_prefix("Abstract: ").unwrap_or(text)
}

/// Text without the tags of HTML and JATS, and with its characters for their names; `a < b` stays what it is.
pub(super) fn without_tags(text: &str) -> Cow<'_, str> {
    let text = html_escape::decode_html_entities(text);
    if !text.contains('<') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    // Where no tag can end none is looked for, so that each look is a short one.
    let (mut rest, behind) = text.split_at(text.rfind('>').map_or(0, |at| at + 1));
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match tag(rest) {
            Some((end, is_block)) => {
                rest = &rest[end..];
                if is_block {
                    out.push(' ');
                }
            }
            None => {
                out.push('<');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out.push_str(behind);
    out.into()
}

/// The length of the tag at the start of a text, and whether it parts words.
fn tag(text: &str) -> Option<(usize, bool)> {
    const INLINE: [&str; 16] =
        ["a", "b", "i", "em", "strong", "sub", "sup", "span", "u", "tt", "code", "italic", "bold", "sc", "small", "inline-formula"];
    const BLOCK: [&str; 15] = ["p", "br", "div", "li", "ul", "ol", "h1", "h2", "h3", "h4", "title", "sec", "img", "hr", "list-item"];
    const LONGEST_NAME: usize = 32;
    let inside = text[1..].trim_start_matches('/');
    let inside = &inside[..inside.floor_char_boundary(LONGEST_NAME)];
    let name = inside.split(|c: char| c.is_whitespace() || matches!(c, '/' | '>')).next()?.to_ascii_lowercase();
    let name = name.strip_prefix("jats:").unwrap_or(&name);
    let is_block = BLOCK.contains(&name);
    let is_known = is_block || INLINE.contains(&name);
    is_known.then(|| text.find('>')).flatten().map(|at| (at + 1, is_block))
}

/// True if a comment of arXiv's, or the text that stands for an abstract, says that the paper was taken back.
pub(super) fn says_withdrawn(comment: &str, abstract_text: &str) -> bool {
    /// Before what it says, a notice names what it is about: `This paper has been withdrawn by its author`.
    const LONGEST: usize = 120;
    const SUBJECTS: [&str; 12] = [
        "this paper ",
        "this article ",
        "this submission ",
        "this manuscript ",
        "this preprint ",
        "this work ",
        "this version of the paper ",
        "the paper ",
        "the paper referred to in the title ",
        "paper ",
        "article ",
        "submission ",
    ];
    const VERBS: [&str; 6] =
        ["has been withdrawn", "was withdrawn", "is withdrawn", "is being withdrawn", "has been temporarily withdrawn", "is now withdrawn"];
    const OTHERS: [&str; 7] = [
        "withdrawn by",
        "withdrawn due",
        "withdrawn because",
        "withdrawn:",
        "the authors have withdrawn",
        "author has withdrawn",
        "retracted by the author",
    ];
    let says = |text: &str| {
        let text = text[..text.floor_char_boundary(LONGEST)].to_ascii_lowercase();
        let text = text.trim();
        let said = SUBJECTS.iter().filter_map(|subject| text.strip_prefix(subject)).any(|said| VERBS.iter().any(|verb| said.starts_with(verb)));
        // A journal or a conference may be what a paper is withdrawn from.
        said && !text.contains("withdrawn from") || text == "withdrawn" || OTHERS.iter().any(|said| text.starts_with(said))
    };
    // A comment may tell of pages first.
    comment.split(['.', ';', ',']).any(|sentence| says(sentence)) || says(abstract_text)
}

fn is_bot_comment(text: &str) -> bool {
    text.starts_with("This is an automated message from the Librarian Bot") || text.starts_with("Librarian Bot. ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_go_and_formulas_stay() {
        let cases = [
            ("<p>We &amp; you</p><p>x</p>", " We & you  x "),
            ("<jats:p>H<jats:sub>2</jats:sub>O", " H2O"),
            ("if a < b and c > d", "if a < b and c > d"),
            ("a<b>c", "ac"),
            ("<", "<"),
        ];
        for (text, expected) in cases {
            assert_eq!(without_tags(text), expected, "{text}");
        }
    }

    #[test]
    fn many_tags_without_an_end_take_no_time() {
        for part in ["<", "<b ", "</"] {
            let text = part.repeat(1 << 20);
            assert_eq!(without_tags(&text), text);
            assert!(without_tags(&format!("{text}>")).len() <= text.len() + 1);
        }
    }

    #[test]
    fn withdrawn_papers_say_so() {
        assert!(says_withdrawn("This paper has been withdrawn due to an error in Lemma 2", ""));
        assert!(says_withdrawn("", "This paper has been withdrawn by the author."));
        assert!(says_withdrawn("12 pages; withdrawn by the authors", ""));
        assert!(!says_withdrawn("12 pages", "We study how money is withdrawn. This paper has been written."));
        assert!(says_withdrawn("The authors have withdrawn this paper", "") && says_withdrawn("", "This version of the paper has been withdrawn."));
        assert!(!says_withdrawn("Withdrawn from COLT 2020", "Withdrawn behaviors in children are studied."));
        assert!(!says_withdrawn("replaces the withdrawn arXiv:2508.13426", "This paper studies what happens after liquidity has been withdrawn."));
    }

    #[test]
    fn abstracts_lose_what_is_not_theirs() {
        let cases = [
            ("arXiv:2508.13426v1 Announce Type: cross \nAbstract: We study\n  $x$.", "We study x."),
            ("Abstract: We study.", "We study."),
            (
                "This is an automated message from the [Librarian Bot](x). I found…",
                "This is an automated message from the [Librarian Bot](x). I found…",
            ),
            ("This is an automated message from the Librarian Bot. I found the following", ""),
            ("שלום \u{202b}עולם 🚀\u{0}", "שלום \u{202b}עולם 🚀"),
            (" \u{a0}\n", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(clean_abstract(text), expected, "{text}");
        }
    }
}
