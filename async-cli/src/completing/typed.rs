//! The typed text, as bash reads it.

use std::path::PathBuf;

/// A command line up to the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Typed {
    /// The words before the one at the cursor, without quotes.
    pub(crate) words: Vec<String>,
    /// The word at the cursor, without quotes.
    pub(crate) current: String,
    /// The open quote at the cursor, if any.
    quotes: Option<char>,
    /// How many bytes of the current word, without quotes, come before the part that readline replaces.
    kept: usize,
    /// Whether the current word begins with a `~` that the shell expands.
    is_in_home: bool,
}

impl Typed {
    /// Words that a shell has already split and unquoted, except the last one.
    pub(crate) fn from_words(words: &[String]) -> Self {
        match words.split_last() {
            Some((current, words)) => Self { words: words.to_vec(), ..Self::parse(current, "") },
            None => Self::default(),
        }
    }

    /// Splits a line without the shell's help: the shell can only split complete lines, and nothing in this one may
    /// run. Readline replaces the part of a word after the last of the `breaks` outside of quotes, or after an open
    /// quote.
    pub(crate) fn parse(line: &str, breaks: &str) -> Self {
        let mut typed = Self::default();
        let mut is_in_word = false;
        let mut kept_before_quotes = 0;
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match (typed.quotes, c) {
                (None, ' ' | '\t' | '\n' | '<' | '>' | '|' | '&' | ';' | '(' | ')') => {
                    if std::mem::take(&mut is_in_word) {
                        let mut words = typed.words;
                        words.push(typed.current);
                        typed = Self { words, ..Self::default() };
                    }
                    continue;
                }
                (None, '\\') => typed.current.extend(chars.next()),
                (None, '\'' | '"') => {
                    typed.quotes = Some(c);
                    kept_before_quotes = std::mem::replace(&mut typed.kept, typed.current.len());
                }
                (Some(quotes), _) if c == quotes => {
                    typed.quotes = None;
                    typed.kept = kept_before_quotes;
                }
                (Some('"'), '\\') => match chars.next_if(|c| "$`\"\\".contains(*c)) {
                    Some(c) => typed.current.push(c),
                    // A backslash at the end is not complete yet.
                    None if chars.peek().is_none() => {}
                    None => typed.current.push('\\'),
                },
                _ => {
                    typed.is_in_home |= !is_in_word && c == '~';
                    typed.current.push(c);
                    if typed.quotes.is_none() && breaks.contains(c) {
                        typed.kept = typed.current.len();
                    }
                }
            }
            is_in_word = true;
        }
        typed
    }

    /// The text that readline has to insert to turn the word into this one.
    pub(crate) fn replacement(&self, word: &str) -> Option<String> {
        let kept = self.current.get(..self.kept)?;
        let mut rest = word.strip_prefix(kept)?;
        let mut quoted = String::with_capacity(rest.len());
        if self.is_in_home && self.kept == 0 {
            rest = rest.strip_prefix('~')?;
            quoted.push('~');
        }
        for c in rest.chars() {
            match (self.quotes, c) {
                (Some('\''), '\'') => quoted.push_str(r"'\''"),
                // Inside double quotes, no backslash keeps it from starting a history expansion.
                (Some('"'), '!') => quoted.push_str(r#""'!'""#),
                (Some('"'), '"' | '$' | '`' | '\\') => quoted.extend(['\\', c]),
                (Some(_), _) => quoted.push(c),
                (None, _) if c.is_alphanumeric() || !c.is_ascii() || "_-./:=@%+,".contains(c) => quoted.push(c),
                (None, _) => quoted.extend(['\\', c]),
            }
        }
        Some(quoted)
    }

    /// The value of that option.
    pub(crate) fn option(&self, option: &str) -> Option<&str> {
        let mut words = self.words.iter();
        let mut given = None;
        while let Some(word) = words.next() {
            match word.strip_prefix(option) {
                Some("") => given = words.next().map(String::as_str),
                Some(value) => given = value.strip_prefix('=').or(given),
                None if word == "--" => break,
                None => {}
            }
        }
        given
    }

    /// The value of `--dir`, with the `~` expanded that the shell has not expanded yet.
    pub(crate) fn directory(&self) -> Option<PathBuf> {
        let given = self.option("--dir")?;
        match (given.strip_prefix("~/"), std::env::home_dir()) {
            (Some(rest), Some(home)) => Some(home.join(rest)),
            _ => Some(given.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BREAKS: &str = " \t\n\"'><=;|&(:";

    fn parse(line: &str) -> (Vec<String>, String) {
        let typed = Typed::parse(line, BREAKS);
        (typed.words, typed.current)
    }

    #[test]
    fn words_come_without_their_quotes() {
        let words = |line| {
            let (mut words, current) = parse(line);
            words.push(current);
            words
        };
        assert_eq!(words("async wait "), ["async", "wait", ""]);
        assert_eq!(words(r"async  wait two\ wo"), ["async", "wait", "two wo"]);
        assert_eq!(words(r#"async wait "two wo"#), ["async", "wait", "two wo"]);
        assert_eq!(words(r#"async wait 'a\b' "a\b\"" ''  "" x"#), ["async", "wait", r"a\b", r#"a\b""#, "", "", "x"]);
        assert_eq!(words(r#"async wait "$(rm x)" `y"#), ["async", "wait", "$(rm x)", "`y"]);
        assert_eq!(words("async wait 2>/dev/null a"), ["async", "wait", "2", "/dev/null", "a"]);
        assert_eq!(words(r"async wait a\"), ["async", "wait", "a"]);
        assert_eq!(words(r#"async wait "a\"#), ["async", "wait", "a"]);
        assert_eq!(words("async wait größe"), ["async", "wait", "größe"]);
    }

    #[test]
    fn what_is_replaced_is_quoted_as_it_is_there() {
        let replacement = |line, word| Typed::parse(line, BREAKS).replacement(word);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(replacement("async wait tw", "two words"), some(r"two\ words"));
        assert_eq!(replacement(r"async wait two\ w", "two words"), some(r"two\ words"));
        assert_eq!(replacement("async wait \"two w", "two words"), some("two words"));
        assert_eq!(replacement("async wait 'two w", "two words"), some("two words"));
        assert_eq!(replacement("async wait ", r#"a"b'c$d!e"#), some(r#"a\"b\'c\$d\!e"#));
        assert_eq!(replacement("async wait \"a", r#"a"b'c$d!e"#), some(r#"a\"b'c\$d"'!'"e"#));
        assert_eq!(replacement("async wait 'a", r#"a"b'c$d!e"#), some(r#"a"b'\''c$d!e"#));
        assert_eq!(replacement("async wait größe", "größe ü"), some(r"größe\ ü"));
        assert_eq!(replacement("async wait a:b", "a:b:c"), some("b:c"));
        assert_eq!(replacement("async wait --dir=\"/a b", "--dir=/a b/"), some("/a b/"));
        assert_eq!(replacement("async wait --dir='/a b'/", "--dir=/a b/c/"), some(r"/a\ b/c/"));
        assert_eq!(replacement("async --dir ~/a", "~/a b/"), some(r"~/a\ b/"));
        assert_eq!(replacement(r"async wait \~", "~"), some(r"\~"));
    }

    #[test]
    fn words_of_other_shells_are_taken_apart_already() {
        let words = ["async", "wait", "a b", "\"two w"].map(str::to_owned);
        let typed = Typed::from_words(&words);
        assert_eq!((typed.words.as_slice(), typed.current.as_str()), (&words[..3], "two w"));
        assert_eq!(Typed::from_words(&["async".into(), String::new()]).current, "");
    }

    #[test]
    fn the_last_store_that_is_named_counts() {
        let dir = |words: &[&str]| {
            let words = words.iter().map(ToString::to_string).collect();
            Typed { words, ..Typed::default() }.directory()
        };
        assert_eq!(dir(&["async", "wait"]), None);
        assert_eq!(dir(&["async", "--dir", "a b", "wait"]), Some("a b".into()));
        assert_eq!(dir(&["async", "--dir=/x", "wait", "--dir", "/y"]), Some("/y".into()));
        assert_eq!(dir(&["async", "wait", "--", "--dir=/x"]), None);
    }
}
