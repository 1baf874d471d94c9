//! Simple TeX as text: accents, fonts, escaped characters, and formulas that are a letter or a line of symbols. A formula that is
//! more than that stays as it is, and so does every command that is not in the tables below.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// A formula may have this many bytes between its dollars; what is longer is two prices.
const LONGEST_FORMULA: usize = 300;
/// So many the names and addresses that a command is given.
const LONGEST_ARGUMENT: usize = 4096;

/// Text without the TeX that is simple. What it returns it leaves as it is.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    /// What one reading uncovers, such as a command in an argument, the next one takes; nobody writes more.
    const READINGS: usize = 64;
    let mut text = Cow::Borrowed(text);
    for _ in 0..READINGS {
        if !text.contains(['\\', '$']) && !text.contains("``") && !has_tie(&text) {
            break;
        }
        let read = Reading { rest: &text, out: String::with_capacity(text.len()), braces: Vec::new(), quotes: text.contains("``") }.read();
        if read == text {
            break;
        }
        text = Cow::Owned(read);
    }
    text
}

/// A brace that is open: whether it goes when it is closed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Brace {
    Stays,
    Goes,
}

struct Reading<'a> {
    rest: &'a str,
    out: String,
    braces: Vec<Brace>,
    quotes: bool,
}

impl Reading<'_> {
    fn read(mut self) -> String {
        while let Some(at) = self.rest.find(['\\', '$', '{', '}', '`', '\'', '~']) {
            self.out.push_str(&self.rest[..at]);
            self.rest = &self.rest[at..];
            let taken = match self.rest.as_bytes()[0] {
                b'\\' => self.command(),
                b'$' => self.formula("$", "$"),
                b'{' => self.open(),
                b'}' => self.close(),
                b'~' => self.tie(),
                _ => self.quote(),
            };
            if !taken {
                self.copy_char();
            }
        }
        self.out.push_str(self.rest);
        self.out
    }

    fn copy_char(&mut self) {
        let mut chars = self.rest.chars();
        self.out.extend(chars.next());
        self.rest = chars.as_str();
    }

    /// Puts `text` for the first `length` bytes.
    fn put(&mut self, text: &str, length: usize) -> bool {
        self.out.push_str(text);
        self.rest = &self.rest[length..];
        true
    }

    /// Text must not go on with the name of a command that stays: `\quad\text{with}`.
    fn part(&mut self) {
        /// No name is longer.
        const LONGEST: usize = 32;
        let behind = &self.out[self.out.floor_char_boundary(self.out.len().saturating_sub(LONGEST))..];
        let before = behind.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        if before.len() < behind.len() && before.ends_with('\\') {
            self.out.push(' ');
        }
    }

    fn command(&mut self) -> bool {
        let after = &self.rest[1..];
        let name = &after[..after.bytes().take_while(u8::is_ascii_alphabetic).count()];
        if name.is_empty() {
            return self.escaped(after);
        }
        if let Some(done) = self.accented(name) {
            return done;
        }
        let length = 1 + name.len();
        let opens = self.rest[length..].starts_with('{');
        if FONTS.contains(&name) && opens {
            self.part();
            self.braces.push(Brace::Goes);
            return self.put("", length + 1);
        }
        if matches!(name, "cite" | "citep" | "citet" | "label" | "ref" | "href") && opens {
            return match within(&self.rest[length..], LONGEST_ARGUMENT).find('}') {
                // Of a link the text stays, which is the next argument.
                Some(end) if name == "href" && self.rest[length + end + 1..].starts_with('{') => {
                    self.braces.push(Brace::Goes);
                    self.put("", length + end + 2)
                }
                Some(end) if name != "href" => self.put("", length + end + 1),
                _ => false,
            };
        }
        match symbol(name).or_else(|| LETTERS.iter().find(|(known, _)| *known == name).map(|(_, letter)| *letter)) {
            // `\o{}` and `\L ` end the name without a meaning of their own.
            Some(text) if self.rest[length..].starts_with("{}") => self.put(text, length + 2),
            Some(text) => {
                if text.starts_with(char::is_alphabetic) {
                    self.part();
                }
                let is_letter = symbol(name).is_none();
                let space = is_letter && self.rest[length..].starts_with(' ');
                self.put(text, length + usize::from(space))
            }
            None => false,
        }
    }

    /// A backslash before something that is no letter.
    fn escaped(&mut self, after: &str) -> bool {
        let Some(next) = after.chars().next() else { return false };
        match next {
            '%' | '&' | '_' | '#' | '$' | '{' | '}' => {
                let text = next.to_string();
                self.put(&text, 2)
            }
            '\\' | ' ' | ',' | ';' | ':' => self.put(" ", 2),
            '-' | '/' | '!' => self.put("", 2),
            '(' => self.formula("\\(", "\\)"),
            _ => match accent(&after[..next.len_utf8()]) {
                Some(mark) => self.accent(mark, 1 + next.len_utf8()),
                None => false,
            },
        }
    }

    /// `\c{c}`, `\v s`, `\H{o}`: an accent whose name is a letter; nothing if it is none.
    fn accented(&mut self, name: &str) -> Option<bool> {
        let mark = accent(name)?;
        Some(self.accent(mark, 1 + name.len()))
    }

    /// Puts the letter that follows with its accent.
    fn accent(&mut self, mark: char, length: usize) -> bool {
        let after = &self.rest[length..];
        let argument = after.trim_start_matches(' ');
        let skipped = after.len() - argument.len();
        let (inside, closing) = match argument.strip_prefix('{') {
            Some(inside) => (inside, 1),
            None => (argument, 0),
        };
        let (letter, taken) = match inside.strip_prefix('\\') {
            Some(name) if name.starts_with(['i', 'j']) && !name[1..].starts_with(|c: char| c.is_ascii_alphabetic()) => (name.chars().next(), 2),
            Some(_) => return false,
            None => (inside.chars().next(), inside.chars().next().map_or(0, char::len_utf8)),
        };
        let Some(letter) = letter.filter(|letter| letter.is_alphabetic()) else { return false };
        if closing == 1 && !inside[taken..].starts_with('}') {
            return false;
        }
        let composed: String = [letter, mark].into_iter().nfc().collect();
        self.put(&composed, length + skipped + taken + 2 * closing)
    }

    /// A formula between two marks, if it is simple.
    fn formula(&mut self, begin: &str, end: &str) -> bool {
        let inside = &self.rest[begin.len()..];
        if begin == "$" && inside.starts_with('$') {
            // Displayed formulas stay.
            return self.put("$$", 2);
        }
        let Some(length) = within(inside, LONGEST_FORMULA + end.len()).find(end).filter(|length| *length > 0) else { return false };
        let whole = begin.len() + length + end.len();
        match simple_formula(&inside[..length]) {
            Some(text) => self.put(&text, whole),
            None => {
                let kept = self.rest[..whole].to_owned();
                self.put(&kept, whole)
            }
        }
    }

    /// `{\em …}` is as `\emph{…}`; a brace around a letter with its accent goes too.
    fn open(&mut self) -> bool {
        let after = &self.rest[1..];
        if let Some(command) = after.strip_prefix('\\') {
            let name = &command[..command.bytes().take_while(u8::is_ascii_alphabetic).count()];
            if SWITCHES.contains(&name) {
                let space = usize::from(command[name.len()..].starts_with(' '));
                self.braces.push(Brace::Goes);
                return self.put("", 2 + name.len() + space);
            }
            let first = command.chars().next();
            let is_accent = first.is_some_and(|c| accent(&c.to_string()).is_some()) && (name.len() <= 1);
            if is_accent || FONTS.contains(&name) || LETTERS.iter().any(|(letter, _)| *letter == name) {
                self.braces.push(Brace::Goes);
                return self.put("", 1);
            }
        }
        self.braces.push(Brace::Stays);
        false
    }

    fn close(&mut self) -> bool {
        match self.braces.pop() {
            Some(Brace::Goes) => self.put("", 1),
            _ => false,
        }
    }

    /// A tie is a space, unless it is the wave of `~50` or of an address.
    fn tie(&mut self) -> bool {
        let before = self.out.chars().next_back().is_some_and(is_before_tie);
        if before && self.rest[1..].starts_with(is_after_tie) { self.put(" ", 1) } else { false }
    }

    fn quote(&mut self) -> bool {
        match self.quotes {
            true if self.rest.starts_with("``") => self.put("“", 2),
            true if self.rest.starts_with("''") => self.put("”", 2),
            _ => false,
        }
    }
}

/// The beginning of a text, in which something is looked for that may not be there.
fn within(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

fn is_before_tie(c: char) -> bool {
    c.is_alphabetic() || c == '.'
}

fn is_after_tie(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\\' | '$')
}

fn has_tie(text: &str) -> bool {
    text.match_indices('~').any(|(at, _)| text[..at].ends_with(is_before_tie) && text[at + 1..].starts_with(is_after_tie))
}

/// The text of a formula that is a word, or a line of letters, numbers and known symbols: `$k$`, `$O(n \log n)$`, `$10^{-3}$`.
fn simple_formula(formula: &str) -> Option<String> {
    let (mut out, mut rest, mut has_symbol) = (String::new(), formula.trim(), false);
    while let Some(next) = rest.chars().next() {
        match next {
            '\\' => {
                let name = &rest[1..][..rest[1..].bytes().take_while(u8::is_ascii_alphabetic).count()];
                if name.is_empty() {
                    // A small space, or an escaped character.
                    let escaped = rest.chars().nth(1).filter(|c| matches!(c, ',' | ';' | ':' | '!' | ' ' | '%' | '&' | '#' | '_'))?;
                    out.push(if escaped.is_ascii_punctuation() && matches!(escaped, '%' | '&' | '#' | '_') { escaped } else { ' ' });
                    rest = &rest[2..];
                    continue;
                }
                out.push_str(symbol(name)?);
                has_symbol = true;
                rest = &rest[1 + name.len()..];
            }
            '^' | '_' if rest[1..].starts_with('{') => {
                let end = rest.find('}')?;
                let script = &rest[2..end];
                let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '+' | '-' | '.' | '/');
                if script.is_empty() || !script.chars().all(is_plain) {
                    return None;
                }
                out.push(next);
                out.push_str(script);
                has_symbol = true;
                rest = &rest[end + 1..];
            }
            '{' | '}' | '$' | '&' | '~' | '`' => return None,
            _ => {
                out.push(next);
                has_symbol |= matches!(next, '^' | '_' | '=' | '<' | '>' | '≤' | '≥');
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    // `$5 and $10` are two prices.
    let is_word = out.starts_with(char::is_alphabetic) && !out.contains(char::is_whitespace);
    let is_number = out.chars().all(|c| c.is_ascii_digit() || c == '.') && out == formula;
    (!out.is_empty() && (has_symbol || is_word || is_number)).then_some(out)
}

/// The combining mark of an accent.
fn accent(name: &str) -> Option<char> {
    Some(match name {
        "`" => '\u{300}',
        "'" => '\u{301}',
        "^" => '\u{302}',
        "~" => '\u{303}',
        "=" => '\u{304}',
        "u" => '\u{306}',
        "." => '\u{307}',
        "\"" => '\u{308}',
        "r" => '\u{30a}',
        "H" => '\u{30b}',
        "v" => '\u{30c}',
        "d" => '\u{323}',
        "c" => '\u{327}',
        "k" => '\u{328}',
        _ => return None,
    })
}

/// Commands whose argument is text.
const FONTS: [&str; 17] = [
    "emph",
    "textbf",
    "textit",
    "texttt",
    "textsc",
    "textsf",
    "textrm",
    "textsl",
    "textup",
    "text",
    "mbox",
    "underline",
    "url",
    "footnote",
    "uppercase",
    "textnormal",
    "enquote",
];

/// Commands at the beginning of a group that change how it looks.
const SWITCHES: [&str; 13] = ["em", "it", "bf", "tt", "sc", "sf", "rm", "sl", "cal", "itshape", "bfseries", "ttfamily", "scshape"];

/// Letters of their own.
const LETTERS: [(&str, &str); 14] = [
    ("ss", "ß"),
    ("o", "ø"),
    ("O", "Ø"),
    ("l", "ł"),
    ("L", "Ł"),
    ("ae", "æ"),
    ("AE", "Æ"),
    ("oe", "œ"),
    ("OE", "Œ"),
    ("aa", "å"),
    ("AA", "Å"),
    ("i", "ı"),
    ("j", "ȷ"),
    ("dh", "ð"),
];

/// What stands for a symbol, or for a word that is set upright in formulas.
fn symbol(name: &str) -> Option<&'static str> {
    SYMBOLS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[rustfmt::skip]
const SYMBOLS: [(&str, &str); 108] = [
    ("alpha", "α"), ("beta", "β"), ("gamma", "γ"), ("delta", "δ"), ("epsilon", "ε"), ("varepsilon", "ε"), ("zeta", "ζ"), ("eta", "η"),
    ("theta", "θ"), ("vartheta", "θ"), ("iota", "ι"), ("kappa", "κ"), ("lambda", "λ"), ("mu", "μ"), ("nu", "ν"), ("xi", "ξ"), ("pi", "π"),
    ("rho", "ρ"), ("varrho", "ρ"), ("sigma", "σ"), ("tau", "τ"), ("upsilon", "υ"), ("phi", "φ"), ("varphi", "φ"), ("chi", "χ"), ("psi", "ψ"),
    ("omega", "ω"), ("Gamma", "Γ"), ("Delta", "Δ"), ("Theta", "Θ"), ("Lambda", "Λ"), ("Xi", "Ξ"), ("Pi", "Π"), ("Sigma", "Σ"),
    ("Upsilon", "Υ"), ("Phi", "Φ"), ("Psi", "Ψ"), ("Omega", "Ω"), ("ell", "ℓ"), ("infty", "∞"), ("partial", "∂"), ("nabla", "∇"),
    ("hbar", "ħ"), ("times", "×"), ("cdot", "·"), ("pm", "±"), ("mp", "∓"), ("div", "÷"), ("ast", "∗"), ("star", "⋆"), ("circ", "∘"),
    ("leq", "≤"), ("le", "≤"), ("geq", "≥"), ("ge", "≥"), ("neq", "≠"), ("ne", "≠"), ("ll", "≪"), ("gg", "≫"), ("sim", "∼"), ("simeq", "≃"),
    ("approx", "≈"), ("equiv", "≡"), ("propto", "∝"), ("in", "∈"), ("notin", "∉"), ("subset", "⊂"), ("subseteq", "⊆"), ("cup", "∪"),
    ("cap", "∩"), ("emptyset", "∅"), ("forall", "∀"), ("exists", "∃"), ("to", "→"), ("rightarrow", "→"), ("leftarrow", "←"),
    ("Rightarrow", "⇒"), ("leftrightarrow", "↔"), ("mapsto", "↦"), ("oplus", "⊕"), ("otimes", "⊗"), ("ldots", "…"), ("dots", "…"),
    ("cdots", "⋯"), ("lesssim", "≲"), ("gtrsim", "≳"), ("degree", "°"), ("textdegree", "°"), ("log", "log"), ("ln", "ln"), ("exp", "exp"),
    ("min", "min"), ("max", "max"), ("sin", "sin"), ("cos", "cos"), ("tan", "tan"), ("lim", "lim"), ("sup", "sup"), ("inf", "inf"),
    ("det", "det"), ("deg", "deg"), ("dim", "dim"), ("langle", "⟨"), ("rangle", "⟩"), ("textasciitilde", "~"), ("textendash", "–"), ("textless", "<"),
    ("textgreater", ">"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn simple_tex_becomes_text() {
        let cases = [
            ("C. Bal\\'azs, P.~M. Nadolsky", "C. Balázs, P. M. Nadolsky"),
            ("Schr{\\\"o}dinger, Erd\\H{o}s, \\v{C}ern\\'{\\i}, Fran\\c{c}ois, \\AA ngstr\\\"om", "Schrödinger, Erdős, Černí, François, Ångström"),
            ("Gar\\c con, {\\O}rsted, \\L{}ukasz, Stra\\ss e", "Garçon, Ørsted, Łukasz, Straße"),
            ("\\emph{Only} \\textbf{a \\textit{deep} one} and {\\em this}", "Only a deep one and this"),
            ("5\\% of R\\&D, a\\_b, \\#1", "5% of R&D, a_b, #1"),
            ("$k$-means with $\\alpha$ and $\\ell_1$ in $O(n \\log n)$ at $10^{-3}$", "k-means with α and ℓ_1 in O(n log n) at 10^-3"),
            ("\\(k\\) of 3$\\times$ more", "k of 3× more"),
            ("``so'' it is", "“so” it is"),
            ("as \\cite{a,b} says, \\href{http://x.org}{here}, \\url{http://x.org/~me}", "as  says, here, http://x.org/~me"),
            ("an $\\frac{1}{2}$ and $\\mathcal{O}(n)$", "an $\\frac{1}{2}$ and $\\mathcal{O}(n)$"),
            ("costs $5 and $10, \\$7, ~50 of {sets}", "costs $5 and $10, $7, ~50 of {sets}"),
            ("C:\\temp \\unknown{x} \\", "C:\\temp \\unknown{x} \\"),
            ("\\quad\\text{with} \\foo\\alpha", "\\quad with \\foo α"),
            ("it's 'quoted' 5'' long", "it's 'quoted' 5'' long"),
            ("{a} } {", "{a} } {"),
            ("{{{{{{\\emph}", "\\emph"),
            ("$$x$$ and $x", "$$x$$ and $x"),
        ];
        for (text, expected) in cases {
            assert_eq!(plain(text), expected, "{text}");
        }
    }

    #[test]
    fn many_commands_without_an_end_take_no_time() {
        for part in ["\\cite{", "\\href{", "\\(", "$ $", "\\'{", "{\\em "] {
            let text = part.repeat(1 << 18);
            assert!(plain(&text).len() <= text.len());
            assert!(plain(&format!("{text}}}")).len() <= text.len() + 1);
        }
    }

    proptest! {
        #[test]
        fn what_is_plain_stays(text in "[a-z\\\\${}'`~^_%&\" .ιé0-9]{0,40}|(\\\\(alpha|emph|'|c|textbf|url|cite|o|\\$)|\\{|\\}|\\$|[a-c ~_^])*") {
            let once = plain(&text).into_owned();
            prop_assert_eq!(plain(&once), once.as_str());
        }
    }
}
