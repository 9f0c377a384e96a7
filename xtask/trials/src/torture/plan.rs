//! What the shells of a run will do, made from the seed alone.

use std::fmt;

use crate::random::Random;

/// The shells of a run, in the order in which they are started.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) shells: Vec<Shell>,
}

/// One shell and its steps.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shell {
    /// Whether it sources the shim in devstack's profile.
    pub(crate) devstack: bool,
    /// Whether there is a limit on how many of its tasks, together with all other limited ones, run at once.
    pub(crate) limited: bool,
    /// Whether the output of its tasks is a pseudo-terminal.
    pub(crate) terminal: bool,
    pub(crate) steps: Vec<Step>,
}

/// One line of a script.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Start(Task),
    Wait {
        manner: Manner,
        names: Vec<String>,
    },
    /// `async cancel`.
    Cancel {
        name: String,
    },
    /// SIGKILL for a process that the record of that name mentions.
    Kill {
        key: &'static str,
        name: String,
    },
}

/// The waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// The shell, with `async_wait`.
    Shell,
    /// A subshell of it.
    Subshell,
    /// `async wait`, a process that knows nothing of the shell.
    Program,
}

impl fmt::Display for Manner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shell => "shell",
            Self::Subshell => "subshell",
            Self::Program => "program",
        })
    }
}

/// The task of a future.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) token: Token,
    /// How many lines it prints.
    pub(crate) lines: usize,
    /// How long it sleeps after each, in ms, below 10.
    pub(crate) pause: usize,
    pub(crate) ending: Ending,
}

/// How a task ends if nothing disturbs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Return(u8),
    Exit(u8),
    /// It kills itself.
    Kill,
    /// It leaves a process behind.
    Leave,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Return(rc) => write!(f, "return-{rc}"),
            Self::Exit(rc) => write!(f, "exit-{rc}"),
            Self::Kill => f.write_str("kill"),
            Self::Leave => f.write_str("leave"),
        }
    }
}

impl Task {
    /// The exit status if nothing kills it.
    pub(crate) fn rc(&self) -> i32 {
        match self.ending {
            Ending::Return(rc) | Ending::Exit(rc) => rc.into(),
            Ending::Kill => 137,
            Ending::Leave => 0,
        }
    }

    /// Its whole output if nothing kills it.
    pub(crate) fn output(&self) -> String {
        (1..=self.lines).fold(String::new(), |text, i| text + &format!("{} line {i} of {}\n", self.token, self.lines))
    }
}

/// A word that only one task of the run prints: the position of its start in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Token {
    /// The index of the shell.
    pub(crate) shell: usize,
    /// The index of its step.
    pub(crate) step: usize,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token-{}-{}", self.shell, self.step)
    }
}

impl Token {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (shell, step) = text.strip_prefix("token-")?.split_once('-')?;
        Some(Self { shell: shell.parse().ok()?, step: step.parse().ok()? })
    }
}

/// How many futures a shell starts.
const STARTS: usize = 20;
/// How many names all shells share, and how many each has for itself.
const SHARED_NAMES: usize = 10;
const OWN_NAMES: usize = 6;

impl Plan {
    /// The plan for that seed: that many futures, by shells of which `neighbours` run at a time.
    pub(crate) fn generate(seed: u64, futures: usize, neighbours: usize) -> Self {
        let mut random = Random::new(seed);
        let mut shells = Vec::new();
        let mut left = futures;
        while left > 0 {
            let starts = left.min(STARTS);
            left -= starts;
            shells.push(shell(&mut random, shells.len(), starts, neighbours));
        }
        Self { shells }
    }

    /// The planned task for a token.
    pub(crate) fn task(&self, token: Token) -> Option<&Task> {
        match self.shells.get(token.shell)?.steps.get(token.step)? {
            Step::Start(task) => Some(task),
            _ => None,
        }
    }
}

fn shell(random: &mut Random, index: usize, starts: usize, neighbours: usize) -> Shell {
    let mut steps = Vec::new();
    // The shell's own names that nobody has waited for since their last use, as far as the plan knows.
    let mut open = Vec::new();
    let mut started = 0;
    while started < starts {
        let step = match random.below(100) {
            0..50 => {
                started += 1;
                let number = random.below(OWN_NAMES);
                let own = random.percent(70) && (!open.contains(&number) || random.percent(10));
                let name = if own { own_name(index, number) } else { shared_name(random) };
                open.extend(own.then_some(number));
                Step::Start(task(random, name, Token { shell: index, step: steps.len() }))
            }
            50..84 => {
                let manner = random.pick(&[Manner::Shell, Manner::Shell, Manner::Subshell, Manner::Program]);
                let mut names = Vec::new();
                for _ in 0..random.pick(&[1, 1, 1, 2, 3]) {
                    names.push(match open.pop() {
                        Some(number) if random.percent(70) => own_name(index, number),
                        _ => name_of_others(random, index, neighbours),
                    });
                }
                Step::Wait { manner, names }
            }
            // Usually the newest: tasks are short.
            84..93 => Step::Cancel { name: victim(random, 80, &open, index, neighbours) },
            _ => {
                let name = victim(random, 50, &open, index, neighbours);
                Step::Kill { key: random.pick(&["pid", "task"]), name }
            }
        };
        steps.push(step);
    }
    for own in 0..OWN_NAMES {
        if random.percent(75) {
            steps.push(Step::Wait { manner: Manner::Shell, names: vec![own_name(index, own)] });
        }
    }
    let (devstack, limited) = (random.percent(50), random.percent(50));
    Shell { devstack, limited, terminal: !devstack && random.percent(50), steps }
}

/// The target of a cancel or kill: with a probability of `own` percent the newest own future, else any other.
fn victim(random: &mut Random, own: usize, open: &[usize], index: usize, neighbours: usize) -> String {
    let own = random.percent(own);
    match open.last() {
        Some(&number) if own => own_name(index, number),
        _ => name_of_others(random, index, neighbours),
    }
}

fn task(random: &mut Random, name: String, token: Token) -> Task {
    let ending = match random.below(100) {
        0..50 => Ending::Return(0),
        50..65 => Ending::Return(random.pick(&[1, 2, 77])),
        65..80 => Ending::Exit(random.pick(&[0, 3, 99])),
        80..90 => Ending::Kill,
        _ => Ending::Leave,
    };
    Task { name, token, lines: 1 + random.below(4), pause: random.pick(&[0, 0, 1, 3, 9]), ending }
}

/// A shared name, or a name of a shell that may be running at the same time.
fn name_of_others(random: &mut Random, index: usize, neighbours: usize) -> String {
    if random.percent(60) {
        shared_name(random)
    } else {
        own_name((index + random.below(2 * neighbours)).saturating_sub(neighbours), random.below(OWN_NAMES))
    }
}

fn shared_name(random: &mut Random) -> String {
    format!("shared-{}", random.below(SHARED_NAMES))
}

fn own_name(shell: usize, number: usize) -> String {
    format!("own {shell}.{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_plan_and_another_one_another() {
        let plan = Plan::generate(7, 300, 8);
        assert_eq!(plan, Plan::generate(7, 300, 8));
        assert_ne!(plan, Plan::generate(8, 300, 8));
        let starts = plan.shells.iter().flat_map(|shell| &shell.steps).filter(|step| matches!(step, Step::Start(_)));
        assert_eq!(starts.count(), 300);
    }

    #[test]
    fn a_token_leads_back_to_its_task() {
        let plan = Plan::generate(1, 50, 4);
        let Some(Step::Start(task)) = plan.shells[1].steps.iter().find(|step| matches!(step, Step::Start(_))) else {
            unreachable!()
        };
        assert_eq!(Token::parse(&task.token.to_string()), Some(task.token));
        assert_eq!(plan.task(task.token), Some(task));
    }
}
