//! Parsing the output of a wait.

use super::plan::Token;

/// The output about one future.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) name: String,
    /// The future that existed when the wait began.
    pub(crate) announced: Token,
    /// The log as printed, without the lines of a trace.
    pub(crate) log: String,
    /// None if the report was cut short, or if another waiter was faster.
    pub(crate) result: Option<Verdict>,
    /// Whether it only repeats the result of a future that was handed over before.
    pub(crate) again: bool,
}

/// The last line about a future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) token: Token,
    /// The exit status; none if the line says that it is unknown.
    pub(crate) rc: Option<i32>,
    /// How long the task ran, in s; none where nobody saw its end.
    pub(crate) seconds: Option<i64>,
    pub(crate) lost: bool,
}

/// Parses the output of a wait; the error is the line that does not belong there.
pub(crate) fn parse(output: &str) -> Result<Vec<Report>, String> {
    let mut reports: Vec<Report> = Vec::new();
    let mut is_dump = false;
    for line in output.lines().filter(|line| !is_message(line)) {
        // The dump of devstack's functions after a failed wait is not a report.
        is_dump |= line.starts_with("=== Wait failure dump: ");
        if is_dump {
            is_dump = !line.starts_with("=== End of the dump");
            continue;
        }
        let open = reports.last_mut().filter(|report| report.result.is_none());
        match (message(line), open) {
            (Some((name, text)), open) => {
                if let Some(command) = text.strip_prefix("Waiting for completion of ") {
                    let announced = token(command).ok_or(line)?;
                    reports.push(Report {
                        name: name.to_owned(),
                        announced,
                        log: String::new(),
                        result: None,
                        again: false,
                    });
                } else if let Some(text) = text.strip_prefix("collected before: ") {
                    let verdict = verdict(text).ok_or(line)?;
                    let (name, announced) = (name.to_owned(), verdict.token);
                    reports.push(Report { name, announced, log: String::new(), result: Some(verdict), again: true });
                } else if let Some(text) = text.strip_prefix("finished ") {
                    open.ok_or(line)?.result = Some(verdict(text).ok_or(line)?);
                } else if !text.starts_with("its process is gone") {
                    return Err(line.to_owned());
                }
            }
            (None, _)
                if ["Not waiting for async task ", "Stopping async wait ", "WARNING: uncollected async future "]
                    .iter()
                    .any(|start| line.starts_with(start)) => {}
            // Devstack's profile traces its tasks.
            (None, _) if line.starts_with('+') => {}
            (None, Some(open)) => {
                open.log.push_str(line);
                open.log.push('\n');
            }
            (None, None) => return Err(line.to_owned()),
        }
    }
    Ok(reports)
}

/// Whether the line is a complaint of the program or of bash, not a report. No task prints such lines.
pub(crate) fn is_message(line: &str) -> bool {
    let sources = ["./functions: ", ".bash: ", "/shim.standalone: ", "/shim.devstack: "];
    line.starts_with("async: ") || sources.iter().any(|source| line.contains(source))
}

/// A log without the lines of a trace.
pub(crate) fn untraced(log: &str) -> String {
    log.split_inclusive('\n').filter(|line| !line.starts_with('+')).collect()
}

/// The name and the text of `[Async NAME:PID]: TEXT`.
fn message(line: &str) -> Option<(&str, &str)> {
    let (who, text) = line.strip_prefix("[Async ")?.split_once("]: ")?;
    Some((who.rsplit_once(':')?.0, text))
}

/// The token in the command of a task.
pub(crate) fn token(command: &str) -> Option<Token> {
    Token::parse(command.strip_prefix("task ")?.split(' ').next()?)
}

fn verdict(text: &str) -> Option<Verdict> {
    let (command, result) = text.split_once(", with result ").or_else(|| text.split_once(" with result "))?;
    let (rc, rest) = result.split_once(' ').unwrap_or((result, ""));
    let (seconds, rest) = match rest.strip_prefix("in ") {
        Some(time) => {
            let (seconds, rest) = time.split_once(" seconds")?;
            (Some(seconds.parse().ok()?), rest)
        }
        None => (None, rest),
    };
    let rc = if rc == "unknown" { None } else { Some(rc.parse().ok()?) };
    Some(Verdict { token: token(command)?, rc, seconds, lost: rest.contains("lost") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_taken_apart() {
        let text = "\
[Async own 1.2:77]: Waiting for completion of task token-1-2 1 0 kill (3 other jobs running)
+ task token-1-2 1 0 kill
token-1-2 line 1 of 1
./functions: line 62: fork: retry: Resource temporarily unavailable
async: a remark
[Async own 1.2:77]: finished task token-1-2 1 0 kill with result 137 in 0 seconds (killed by signal 9, SIGKILL)
Stopping async wait due to error: own 1.2 x
";
        let token = Token { shell: 1, step: 2 };
        let result = Some(Verdict { token, rc: Some(137), seconds: Some(0), lost: false });
        let log = "token-1-2 line 1 of 1\n".into();
        assert_eq!(
            parse(text).unwrap(),
            [Report { name: "own 1.2".into(), announced: token, log, result, again: false }]
        );
    }

    #[test]
    fn a_lost_one_a_cut_one_and_a_stray_line_are_told_apart() {
        let waiting = "[Async a:]: Waiting for completion of task token-0-0 1 0 kill (1 other jobs running)\n";
        let lost = "[Async a:]: finished task token-0-0 1 0 kill with result unknown (lost: gone)\n";
        let reports = parse(&format!("{waiting}{lost}{waiting}")).unwrap();
        assert_eq!(reports[0].result.map(|verdict| (verdict.rc, verdict.lost)), Some((None, true)));
        assert_eq!(reports[1].result, None);
        let killed = "[Async a:]: collected before: task token-0-0 1 0 leave, with result 137 (killed by signal 9)\n";
        let verdict = parse(killed).unwrap()[0].result.unwrap();
        assert_eq!((verdict.rc, verdict.seconds, verdict.lost), (Some(137), None, false));
        assert_eq!(parse("what?\n"), Err("what?".into()));
        assert_eq!(parse(&format!("{waiting}{lost}what?\n")), Err("what?".into()));
    }
}
