//! A copy of a script's shell for a task on an engine: a bash script that restores the shell's functions, variables,
//! options and aliases, and runs the task. This process has the shell's umask and working directory.
//!
//! The shell's snapshot of itself consists of texts, each followed by a NUL
//! character: commands for its `shopt` options and aliases; the output of `declare -p`, and which functions are
//! exported; its functions and `set` options; and the words of the task.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;

use async_core::text::shell_line;

/// Variables that belong to bash or to the node, so the copy keeps its own.
const OWN: [&[u8]; 38] = [
    b"_",
    b"BASH",
    b"BASHOPTS",
    b"BASHPID",
    b"BASH_ALIASES",
    b"BASH_ARGC",
    b"BASH_ARGV",
    b"BASH_ARGV0",
    b"BASH_CMDS",
    b"BASH_COMMAND",
    b"BASH_LINENO",
    b"BASH_SOURCE",
    b"BASH_SUBSHELL",
    b"BASH_VERSINFO",
    b"BASH_VERSION",
    b"BASH_XTRACEFD",
    b"DIRSTACK",
    b"EPOCHREALTIME",
    b"EPOCHSECONDS",
    b"EUID",
    b"FUNCNAME",
    b"GROUPS",
    b"HISTCMD",
    b"HOSTNAME",
    b"HOSTTYPE",
    b"LINENO",
    b"MACHTYPE",
    b"OLDPWD",
    b"OSTYPE",
    b"PIPESTATUS",
    b"PPID",
    b"PWD",
    b"RANDOM",
    b"SECONDS",
    b"SHELLOPTS",
    b"SHLVL",
    b"SRANDOM",
    b"UID",
];

/// Variables that belong to the copy's environment, or to async.
const OWN_TOO: [&[u8]; 3] = [b"TMPDIR", b"ASYNC_FUTURE", b"ASYNC_ON"];
const OWN_PREFIXES: [&[u8]; 4] = [b"SLURM_", b"SLURMD_", b"_ASYNC_", b"_async_"];

/// Variables of a host, which another one has of its own.
const HOSTS: [&[u8]; 8] = [b"HOME", b"PATH", b"USER", b"LOGNAME", b"SHELL", b"MAIL", b"TERM", b"DISPLAY"];
const HOSTS_PREFIXES: [&[u8]; 2] = [b"XDG_", b"SSH_"];

/// The functions that the copy must not have, besides those whose names begin with `_async_`.
const OURS: [&str; 10] = [
    "async_pidof",
    "async_log",
    "async_run",
    "async_runfunc",
    "async_inner",
    "async_wait",
    "async_cleanup",
    "async_init",
    "async_end",
    "async_print_timing",
];

/// Makes the script of the texts.
///
/// With `other_host`, that is not one that shares this one's files and users. It is an error if the texts are not all there.
pub(super) fn script(texts: &[u8], other_host: bool) -> io::Result<Vec<u8>> {
    let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, "the copy of the shell is not whole");
    let whole = texts.strip_suffix(b"\0").ok_or_else(cut)?;
    let mut texts = whole.split(|&byte| byte == 0);
    let mut next = || texts.next().ok_or_else(cut);
    let (settings, variables, functions) = (next()?, next()?, next()?);
    let words: Vec<&[u8]> = texts.collect();
    let (functions, options) = with_options(functions);
    // A subshell that could not be forked has printed nothing.
    if words.is_empty() || settings.is_empty() || variables.is_empty() || options.is_empty() {
        return Err(cut());
    }
    let mut script = BEGINS.as_bytes().to_vec();
    for line in settings.split(|&byte| byte == b'\n').filter(|line| line.starts_with(b"shopt ")) {
        // The node's bash may lack some of them, and some can't be set.
        script.extend([line, b" 2>/dev/null\n"].concat());
    }
    // First, because aliases are already replaced in them, and a name must not be split by the script's IFS.
    script.extend(functions);
    script.extend(format!("\nunset -f $(compgen -A function _async_) {}\n", OURS.join(" ")).bytes());
    let mut flags = &b""[..];
    for (name, declaration) in declarations(variables) {
        if name == b"_async_set" {
            flags = value(declaration);
        } else if is_carried(name) && !(other_host && is_of_host(name)) {
            script.extend(declaration);
            script.push(b'\n');
        }
    }
    for entry in entries(settings, |line| line.starts_with(b"alias ")) {
        script.extend(entry);
        script.push(b'\n');
    }
    script.extend(options);
    script.extend(b"\nset --");
    for word in words {
        script.push(b' ');
        script.extend(shell_line(&[OsString::from_vec(word.to_owned())]).bytes());
    }
    // Some of the options were switched off where the shell took its snapshot.
    let set = |flag: u8| if flags.contains(&flag) { '-' } else { '+' };
    script.extend(format!("\nset {}e {}E {}T {}x\n\"$@\"\n", set(b'e'), set(b'E'), set(b'T'), set(b'x')).bytes());
    Ok(script)
}

/// The text without the output of `set +o` at its end, and that output.
fn with_options(text: &[u8]) -> (&[u8], &[u8]) {
    let mut start = text.len();
    for line in text.split(|&byte| byte == b'\n').rev() {
        if !(line.starts_with(b"set -o ") || line.starts_with(b"set +o ")) {
            break;
        }
        start = start.saturating_sub(line.len() + 1);
    }
    (&text[..start], &text[start..])
}

const BEGINS: &str = "\
# A copy of the shell that has called async_run, to run a task on this node
case ${BASH_VERSION-} in
    '' | [123].* | 4.[0123].*)
        echo \"async: the task needs bash 4.4 or later, which is not what the node ${SLURMD_NODENAME:-$(uname -n)} has\" >&2
        exit 125
        ;;
esac
";

fn is_carried(name: &[u8]) -> bool {
    // `local -` keeps its options under the name `-`.
    let is_name = name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    let is_own = !is_name || OWN.contains(&name) || OWN_TOO.contains(&name);
    !is_own && !OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn is_of_host(name: &[u8]) -> bool {
    HOSTS.contains(&name) || HOSTS_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// What `declare -p` has printed: the names, and the text of each.
fn declarations(text: &[u8]) -> Vec<(&[u8], &[u8])> {
    let named = |entry| -> Option<(&[u8], &[u8])> {
        let rest = <[u8]>::strip_prefix(entry, b"declare -")?;
        let rest = &rest[rest.iter().position(|&byte| byte == b' ')? + 1..];
        let end = rest.iter().position(|&byte| byte == b'=').unwrap_or(rest.len());
        Some((&rest[..end], entry))
    };
    entries(text, |_| true).into_iter().filter_map(named).collect()
}

/// The commands of a text, one per line; a line that ends inside quotes continues on the next.
fn entries(text: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Vec<&[u8]> {
    let (mut entries, mut start, mut at) = (Vec::new(), 0, 0);
    // The closing quote, and whether a backslash escapes inside the quotes.
    let mut quotes: Option<(u8, bool)> = None;
    while at < text.len() {
        match (text[at], quotes) {
            (b'\\', None | Some((_, true))) => at += 1,
            (byte, Some((end, _))) if byte == end => quotes = None,
            (b'"', None) => quotes = Some((b'"', true)),
            (b'\'', None) => quotes = Some((b'\'', at > 0 && text[at - 1] == b'$')),
            (b'\n', None) => {
                entries.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    entries.push(&text[start.min(text.len())..]);
    entries.retain(|entry| !entry.is_empty() && wanted(entry));
    entries
}

/// The value in `declare -- name="value"`, if it is a simple one.
fn value(declaration: &[u8]) -> &[u8] {
    let equals = declaration.iter().position(|&byte| byte == b'=').unwrap_or(declaration.len().saturating_sub(1));
    let value = &declaration[equals + 1..];
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        declarations(text.as_bytes()).iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect()
    }

    #[test]
    fn a_declaration_ends_where_its_value_ends() {
        let text = "declare -- a=\"x\ndeclare -- not=\\\"1\\\"\"\ndeclare -A b=([\"k\ndeclare -- no\"]=\"v\" [$'q\\'\n']=\"\" )\n\
                    declare -x c\ndeclare -a d=([0]=$'a\\nb' [1]=\"$(x)\")\ndeclare -r e='a\\'\ndeclare -- f=\"\"";
        assert_eq!(names(text), ["a", "b", "c", "d", "e", "f"]);
    }

    #[test]
    fn what_is_bashs_own_or_the_nodes_is_not_carried() {
        for name in ["BASH_VERSINFO", "SLURM_JOB_ID", "_async_set", "RANDOM", "PWD", "_ASYNC_STORE"] {
            assert!(!is_carried(name.as_bytes()), "{name}");
        }
        for name in ["BASHFUL", "IFS", "PATH", "x", "BASH_ENV", "async"] {
            assert!(is_carried(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn texts_that_are_not_whole_make_no_script() {
        for texts in [&b""[..], b"a\0b\0c\0", b"a\0b\0c\0word", b"a\0b"] {
            assert!(script(texts, false).is_err(), "{texts:?}");
        }
        let whole = b"shopt -s extglob\0declare -- a=\"\"\0f () \n{ \n    :\n}\nset -o errexit\nset +o xtrace\0word\0";
        let text = String::from_utf8(script(whole, false).unwrap()).unwrap();
        let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
        assert!(place("f () ") < place("declare -- a=") && place("declare -- a=") < place("set -o errexit"), "{text}");
        // A part that a subshell has not printed.
        for (from, to) in [("shopt -s extglob", ""), ("declare -- a=\"\"", ""), ("set -o errexit\nset +o xtrace", "")] {
            let text = String::from_utf8(whole.to_vec()).unwrap().replace(from, to);
            assert!(script(text.as_bytes(), false).is_err(), "{text:?}");
        }
    }

    #[test]
    fn all_functions_of_ours_are_left_behind() {
        let shim = async_bash_shim::render(&async_bash_shim::Options::of(async_bash_shim::Profile::Standalone));
        let ours: Vec<&str> =
            shim.lines().filter_map(|line| line.strip_prefix("function async_")?.strip_suffix(" {")).collect();
        assert!(!ours.is_empty());
        for name in ours {
            assert!(OURS.contains(&format!("async_{name}").as_str()), "{name}");
        }
    }
}
